import { once } from 'node:events'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type Broker, startBroker, startProxy } from '@asbru/brokers'
import type { Driver } from '@asbru/core'
import { natsDriver, type NatsDriverOptions } from '@asbru/driver-nats'
import { connect } from '@nats-io/transport-node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bytesOf, openOptions, Recorder, textOf } from './support/recorder.ts'
import { type SteadyStream, steadyStream } from './support/steady-stream.ts'

const TOPIC = 'counted'

describe.each([0, 5_000, 15_000])('a broker that is killed for %i ms', (outageMs) => {
  test('is found again under a steady stream, and only core subjects lose some', async () => {
    const broker = await brokerForTest()
    const servers = broker.url
    const client = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 200 })
    onTestFinished(() => client.close())
    const jetstream = { stream: 'EVENTS' }
    const scenes = {
      core: await scene({ connection: { servers } }),
      stream: await scene({ connection: { servers }, jetstream }),
      newerClient: await scene({ client, jetstream: { stream: 'MORE' }, prefix: 'more.' }),
    }
    const all = Object.values(scenes)

    for (const { inbox } of all) await inbox.until(() => inbox.messages.length >= 100)
    await broker.kill()
    for (const { inbox } of all) await inbox.until(() => inbox.types.includes('reconnecting'))
    await wait(outageMs)
    const refused = all.map(({ stream }) => stream.refusals)
    await broker.start()
    const back = performance.now()
    for (const { inbox } of all) await inbox.until(() => (inbox.times.at(-1) ?? 0) > back)
    for (const { inbox } of all) {
      const first = inbox.times.find((time) => time > back)!
      expect(first - back).toBeLessThan(3_000)
    }
    expect(Math.min(...refused)).toBeGreaterThanOrEqual(outageMs > 0 ? 1 : 0)
    for (const { inbox, stream } of all) {
      const enough = inbox.messages.length + 100
      await inbox.until(() => inbox.messages.length >= enough)
      await stream.stop()
      await inbox.until(() => numbersOf(inbox).at(-1) === stream.accepted.at(-1))
      expect(inbox.types.filter((type) => type !== 'gap')).toEqual([
        'connected',
        'reconnecting',
        'connected',
      ])
    }

    for (const { inbox, stream } of [scenes.stream, scenes.newerClient]) {
      expect(inbox.gaps).toEqual([])
      expectEachOnceInOrder(numbersOf(inbox))
      expectAll(stream.accepted, numbersOf(inbox))
    }
    const { inbox, stream } = scenes.core
    expect(inbox.gaps).toEqual(['broker-reconnected'])
    expectEachOnceInOrder(numbersOf(inbox))
    const gap = inbox.all.findIndex((item) => 'type' in item && item.type === 'gap')
    const after = inbox.all.slice(gap).filter((item) => 'payload' in item)
    const since = Number(textOf(after[0]!))
    expect(after.map((item) => Number(textOf(item)))).toEqual(
      stream.accepted.filter((number) => number >= since),
    )
  }, 60_000)
})

describe('a broker that is absent at the start', () => {
  test('fails the start with the error of the client once the time is over', async () => {
    const broker = await brokerForTest()
    await broker.kill()
    const driver = natsDriver({ connection: { servers: broker.url }, startTimeoutMs: 500 })
    await expect(driver.open(new Recorder(), openOptions)).rejects.toMatchObject({
      name: 'NatsError',
      code: 'CONNECTION_REFUSED',
    })
  })

  test.each([{}, { jetstream: { stream: 'EVENTS' } }])(
    'is waited for without end when the time is 0: %j',
    async (options) => {
      const broker = await brokerForTest()
      await broker.kill()
      const driver = driverForTest({
        ...options,
        connection: { servers: broker.url },
        startTimeoutMs: 0,
      })
      const inbox = new Recorder()
      const opening = driver.open(inbox, openOptions)
      await wait(1_000)
      expect(inbox.statuses).toEqual([])
      await broker.start()
      await opening
      expect(inbox.types).toEqual(['connected'])
    },
  )

  test('ends at close, also when it would be waited for without end', async () => {
    const broker = await brokerForTest()
    await broker.kill()
    const driver = natsDriver({ connection: { servers: broker.url }, startTimeoutMs: 0 })
    const opening = driver.open(new Recorder(), openOptions)
    await Promise.all([expect(opening).rejects.toBeInstanceOf(Error), driver.close()])
  })
})

describe('a network that is no good', () => {
  test.each([{}, { jetstream: { stream: 'EVENTS' } }])(
    'is noticed within 30 s when nothing gets through, and is left for a new connection: %j',
    async (options) => {
      const broker = await brokerForTest()
      const proxy = await startProxy(broker)
      onTestFinished(() => proxy.stop())
      const { inbox, stream } = await scene({
        ...options,
        connection: { servers: `127.0.0.1:${proxy.port}` },
      })
      await inbox.until(() => inbox.messages.length >= 20)
      proxy.stall()
      const stalled = performance.now()
      await inbox.until(() => inbox.types.includes('reconnecting'))
      expect(performance.now() - stalled).toBeLessThan(30_000)
      proxy.resume()
      await inbox.until(() => inbox.types.at(-1) === 'connected')
      const enough = inbox.messages.length + 20
      await inbox.until(() => inbox.messages.length >= enough)
      await stream.stop()
      expectEachOnceInOrder(numbersOf(inbox))
      expect(inbox.gaps).toEqual('jetstream' in options ? [] : ['broker-reconnected'])
      if ('jetstream' in options) expectAll(stream.accepted, numbersOf(inbox))
    },
    60_000,
  )

  test('is noticed within 30 s also when more is published than it takes', async () => {
    const broker = await brokerForTest()
    const road = await narrowRoad(broker)
    const driver = driverForTest({ connection: { servers: `127.0.0.1:${road.port}` } })
    const inbox = new Recorder()
    await driver.open(inbox, openOptions)
    road.block()
    const blocked = performance.now()
    const payload = new Uint8Array(1_000_000)
    const published = Array.from({ length: 30 }, () => driver.publish({ topic: TOPIC, payload }))
    const answers = await Promise.allSettled(published)
    expect(answers.map(({ status }) => status)).not.toContain('fulfilled')
    await inbox.until(() => inbox.types.includes('reconnecting'))
    expect(performance.now() - blocked).toBeLessThan(30_000)
    await inbox.until(() => inbox.types.at(-1) === 'connected')
    await driver.publish({ topic: TOPIC, payload: bytesOf('after') })
  }, 40_000)

  test.each([{}, { jetstream: { stream: 'EVENTS' } }])(
    'only takes longer when everything is late: %j',
    async (options) => {
      const broker = await brokerForTest()
      const proxy = await startProxy(broker)
      onTestFinished(() => proxy.stop())
      proxy.delay(150)
      const connection = { servers: `127.0.0.1:${proxy.port}` }
      const { inbox, stream } = await scene({ ...options, connection })
      await inbox.until(() => inbox.messages.length >= 10)
      await stream.stop()
      await inbox.until(() => inbox.messages.length === stream.accepted.length)
      expect(numbersOf(inbox)).toEqual(stream.accepted)
      expect(stream.refusals).toBe(0)
      expect(inbox.types).toEqual(['connected'])
    },
  )
})

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

async function brokerForTest(): Promise<Broker> {
  const broker = await startBroker('nats')
  onTestFinished(() => broker.stop())
  return broker
}

function driverForTest(options: NatsDriverOptions): Driver {
  const driver = natsDriver(options)
  onTestFinished(() => driver.close())
  return driver
}

/** A driver that reads what it publishes in a steady stream. */
async function scene(
  options: NatsDriverOptions,
): Promise<{ inbox: Recorder; stream: SteadyStream }> {
  const driver = driverForTest(options)
  const inbox = new Recorder()
  await driver.open(inbox, openOptions)
  await driver.subscribe(TOPIC)
  const stream = steadyStream(driver, TOPIC)
  onTestFinished(() => stream.stop())
  return { inbox, stream }
}

function numbersOf(inbox: Recorder): number[] {
  return inbox.texts.map(Number)
}

function expectAll(wanted: readonly number[], got: readonly number[]): void {
  const there = new Set(got)
  expect(wanted.filter((number) => !there.has(number))).toEqual([])
}

function expectEachOnceInOrder(numbers: readonly number[]): void {
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
}
