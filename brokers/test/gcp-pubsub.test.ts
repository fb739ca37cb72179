import { afterEach, describe, expect, it } from 'vitest'
import { selectedBrokers, startBroker, type Broker } from '@asbru/brokers'
import { gcpPubsubProbe, subscription } from './support/gcp-pubsub-probe.ts'
import { call, field, openStream } from './support/grpc.ts'

const timeout = 600_000

// What the fake does wrong before it is repaired.
describe.each(selectedBrokers().filter((name) => name === 'gcp-pubsub'))('%s', (name) => {
  let broker: Broker

  afterEach(() => broker.stop())

  it('delivers acknowledged messages again after a seek to the past', { timeout }, async () => {
    broker = await startBroker(name)
    await gcpPubsubProbe.store(broker, 'again')
    expect(await gcpPubsubProbe.find(broker)).toBe('again')
    const longAgo = field(2, '\x08\x01')
    await call(broker, 'Subscriber/Seek', field(1, subscription) + longAgo)
    expect(await gcpPubsubProbe.find(broker)).toBe('again')
  })

  it('ends the streams of a subscription that is deleted with NOT_FOUND', { timeout }, async () => {
    broker = await startBroker(name)
    await gcpPubsubProbe.store(broker, 'first')
    const ackDeadlineSeconds = '\x28\x0a'
    const request = field(1, subscription) + ackDeadlineSeconds
    const stream = openStream(broker, 'Subscriber/StreamingPull', request)
    await stream.opened
    await call(broker, 'Subscriber/DeleteSubscription', field(1, subscription))
    expect(await stream.status).toBe('5')
  })
})
