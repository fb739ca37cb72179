import { describeCluster } from './describe-cluster.ts'
import { redisPubsub, redisStreams } from './modes/redis.ts'

describeCluster(redisPubsub)
describeCluster(redisStreams)
