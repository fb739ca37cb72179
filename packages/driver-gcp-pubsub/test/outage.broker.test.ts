import { describeAbsence, describeOutages } from '@asbru/trials'
import { pubsubUnderTest, pubsubWay } from './support/pubsub-under-test.ts'

const pubsub = await pubsubUnderTest()
const trial = { name: 'Pub/Sub', broker: pubsub.broker, ways: [pubsubWay(pubsub)] }

describeOutages(trial)
describeAbsence(trial)
