export { redisDriver, type RedisDriverOptions } from './redis-driver.ts'
export type { RedisSource } from './connect.ts'
