import { describeAbsence, describeOutages } from '@asbru/trials'
import { natsUnderTest, natsWay, newerNatsWay } from './support/nats-under-test.ts'

const nats = await natsUnderTest()
const ways = [
  natsWay(nats, 'core subjects', {}),
  natsWay(nats, 'JetStream', { jetstream: { stream: 'EVENTS' } }),
]
const newer = newerNatsWay(nats, 'JetStream', {
  jetstream: { stream: 'MORE' },
  prefix: 'more.',
})
const trial = { name: 'NATS', broker: nats.broker, ways }

describeOutages({ ...trial, ways: [...ways, newer] })
describeAbsence(trial)
