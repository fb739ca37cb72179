import { describeDriver } from '@asbru/driver-contract'
import { redisHarness, redisUnderTest } from './support/redis-harness.ts'

const redis = await redisUnderTest()

describeDriver(redisHarness(redis, 'pubsub'))
describeDriver(redisHarness(redis, 'streams'))
