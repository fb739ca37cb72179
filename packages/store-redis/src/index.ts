export { redisClientStore, type RedisClientStoreOptions } from './redis-client-store.ts'
