import { once } from 'node:events'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'
import type { Broker } from '@asbru/brokers'
import { natsDriver } from '@asbru/driver-nats'
import { bytes, describeNetworks, openedDriver } from '@asbru/trials'
import { expect, onTestFinished, test } from 'vitest'
import { natsUnderTest, natsWay, newerNatsWay } from './support/nats-under-test.ts'

const nats = await natsUnderTest()

describeNetworks({
  name: 'NATS',
  proxies: [nats.proxy],
  ways: [
    natsWay(nats, 'core subjects', {}),
    natsWay(nats, 'JetStream', { jetstream: { stream: 'EVENTS' } }),
    newerNatsWay(nats, 'JetStream', { jetstream: { stream: 'EVENTS' } }),
  ],
})

test('a network that takes less than is published is noticed within 30 s', async () => {
  const road = await narrowRoad(nats.broker)
  const connection = { servers: `127.0.0.1:${road.port}` }
  const inbox = await openedDriver(natsDriver({ connection }))
  const { driver } = inbox
  road.block()
  const blocked = performance.now()
  const payload = new Uint8Array(1_000_000)
  const published = Array.from({ length: 30 }, () => driver.publish({ topic: 'large', payload }))
  const answers = await Promise.allSettled(published)
  expect(answers.map(({ status }) => status)).not.toContain('fulfilled')
  await inbox.until(() => inbox.types.includes('reconnecting'))
  expect(performance.now() - blocked).toBeLessThan(30_000)
  await inbox.until(() => inbox.types.at(-1) === 'connected')
  await driver.publish({ topic: 'large', payload: bytes('after') })
}, 40_000)

/** A way to the broker that takes nothing more from the connections of now once it is blocked. */
async function narrowRoad(broker: Broker): Promise<{ port: number; block(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connectTo(broker.port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    block() {
      for (const socket of sockets) socket.unpipe().pause()
    },
  }
}
