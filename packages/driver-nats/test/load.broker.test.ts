import { setImmediate as turn } from 'node:timers/promises'
import { type Broker, startBroker } from '@asbru/brokers'
import type { Driver } from '@asbru/core'
import { natsDriver, type NatsDriverOptions } from '@asbru/driver-nats'
import { connect, DeliverPolicy, type NatsConnection } from 'nats'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { memoryInUse } from '../../core/test/support/memory-in-use.ts'
import { bytesOf, openOptions, Recorder, textOf } from './support/recorder.ts'
import { steadyStream } from './support/steady-stream.ts'

const MODES: [string, NatsDriverOptions][] = [
  ['core subjects', {}],
  ['JetStream', { jetstream: { stream: 'EVENTS' } }],
]
const MEBIBYTE = 1024 * 1024

let broker: Broker
let plain: NatsConnection

beforeAll(async () => {
  broker = await startBroker('nats')
  plain = await connect({ servers: broker.url })
})

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

describe.each(MODES)('%s', (mode, options) => {
  const prefix = options.jetstream === undefined ? '' : 'events.'

  test('deliver each message once while overlapping subscriptions change at random', async () => {
    const { driver, inbox } = await reader(options)
    const topic = 'churn.pets.dogs'
    const held = new Set(['churn.**'])
    await driver.subscribe('churn.**')
    const publishers = [driver, (await reader(options)).driver].map((each) =>
      steadyStream(each, topic, 0),
    )
    const overlapping = [topic, 'churn.pets.*', 'churn.*.dogs', 'churn.pets.**', 'churn.**']
    while (inbox.messages.length < 2_000) {
      await turn()
      const one = overlapping[Math.floor(Math.random() * overlapping.length)]!
      if (!held.has(one)) await driver.subscribe(one)
      else if (held.size > 1) await driver.unsubscribe(one)
      if (!held.delete(one) || held.size === 0) held.add(one)
    }
    for (const publisher of publishers) await publisher.stop()
    const sent = publishers.flatMap(({ accepted }) => accepted)
    await inbox.until(() => inbox.messages.length >= sent.length)
    await driver.publish({ topic, payload: bytesOf('-1') })
    await inbox.until(() => inbox.texts.includes('-1'))
    expect(inbox.texts.map(Number).toSorted(ascending)).toEqual([-1, ...sent].toSorted(ascending))
  })

  test('leave nothing of 1,000 topics that were subscribed and dropped ten times', async () => {
    const { driver } = await reader(options)
    const topics = Array.from({ length: 1_000 }, (_, i) => `many.${i}`)
    const round = async (): Promise<number> => {
      await Promise.all(topics.map((topic) => driver.subscribe(topic)))
      await Promise.all(topics.map((topic) => driver.unsubscribe(topic)))
      return memoryInUse()
    }
    for (let warm = 0; warm < 3; warm++) await round()
    const before = await round()
    for (let more = 0; more < 6; more++) await round()
    expect((await round()) - before).toBeLessThan(MEBIBYTE)
    for (const topic of topics.slice(0, options.jetstream === undefined ? 1_000 : 0)) {
      const asked = plain.request(topic, bytesOf(''), { timeout: 5_000 })
      await expect(asked).rejects.toMatchObject({ code: '503' })
    }
  })

  test('deliver 100,000 messages of 100 bytes in order, none lost or repeated', async () => {
    const bare = await bareRate(options)
    const got: Uint8Array[] = []
    let finish: (() => void) | undefined
    const all = new Promise<void>((resolve) => {
      finish = resolve
    })
    const driver = driverOf(options)
    await driver.open(
      { message: ({ payload }) => void (got.push(payload) === 100_000 && finish!()), status() {} },
      openOptions,
    )
    await driver.subscribe('load.counted')
    const started = performance.now()
    for (let i = 0; i < 100_000; i++) {
      plain.publish(`${prefix}load.counted`, hundredBytes(i))
      if (i % 1_000 === 999) await plain.flush()
    }
    await all
    const rate = perSecond(100_000, started)
    process.stdout.write(`nats, ${mode}: ${rate} messages/s, bare client ${bare} messages/s\n`)
    await driver.close()
    expect(got.map((payload) => Number(textOf({ payload })))).toEqual(numbers(100_000))
  }, 60_000)

  test('take 100,000 publishes, and deliver them in order', async () => {
    const { driver, inbox } = await reader(options)
    await driver.subscribe('load.published')
    const started = performance.now()
    for (let i = 0; i < 100_000; i += 1_000) {
      const some = Array.from({ length: 1_000 }, (_, j) =>
        driver.publish({ topic: 'load.published', payload: hundredBytes(i + j) }),
      )
      await Promise.all(some)
    }
    await inbox.until(() => inbox.messages.length >= 100_000)
    expect(inbox.texts.map(Number)).toEqual(numbers(100_000))
    process.stdout.write(`nats, ${mode}: ${perSecond(100_000, started)} publishes/s\n`)
  }, 60_000)
})

/** How many messages a second a bare client receives of the same publisher, by subject or from a stream. */
async function bareRate({ jetstream }: NatsDriverOptions): Promise<number> {
  const connection = await connect({ servers: broker.url })
  onTestFinished(() => connection.close())
  const subject = jetstream === undefined ? 'bare.counted' : 'events.bare.counted'
  const got: Uint8Array[] = []
  let finish: (() => void) | undefined
  const all = new Promise<void>((resolve) => {
    finish = resolve
  })
  const take = ({ data }: { data: Uint8Array }): void => {
    if (got.push(data) === 100_000) finish!()
  }
  if (jetstream === undefined) {
    connection.subscribe(subject, { callback: (_, message) => take(message) })
  } else {
    const start = { filterSubjects: subject, deliver_policy: DeliverPolicy.New }
    const consumer = await connection.jetstream().consumers.get(jetstream.stream, start)
    await consumer.consume({ callback: take })
  }
  await connection.flush()
  const started = performance.now()
  for (let i = 0; i < 100_000; i++) {
    plain.publish(subject, hundredBytes(i))
    if (i % 1_000 === 999) await plain.flush()
  }
  await all
  return perSecond(100_000, started)
}

function driverOf(options: NatsDriverOptions): Driver {
  const driver = natsDriver({ ...options, connection: { servers: broker.url } })
  onTestFinished(() => driver.close())
  return driver
}

async function reader(options: NatsDriverOptions): Promise<{ driver: Driver; inbox: Recorder }> {
  const driver = driverOf(options)
  const inbox = new Recorder()
  await driver.open(inbox, openOptions)
  return { driver, inbox }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

function hundredBytes(number: number): Uint8Array {
  return bytesOf(String(number).padEnd(100))
}

function perSecond(count: number, started: number): number {
  return Math.round((count / (performance.now() - started)) * 1_000)
}

function ascending(a: number, b: number): number {
  return a - b
}
