export { redisDriver, type RedisDriverOptions } from './redis-driver.ts'
export type { ClusterConnection, RedisSource } from './connect.ts'
export type { StreamsOptions } from './streams-options.ts'
