import { describeAbsence, describeOutages } from '@asbru/trials'
import { redisUnderTest, redisWay } from './support/redis-harness.ts'

const redis = await redisUnderTest()
const ways = [redisWay(redis, 'pubsub'), redisWay(redis, 'streams')]
const trial = { name: 'Redis', broker: redis.broker, ways }

describeOutages(trial)
describeAbsence(trial)
