import { setTimeout as wait } from 'node:timers/promises'
import { gcpPubsubDriver, type GcpPubsubDriverOptions } from '@asbru/driver-gcp-pubsub'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bytesOf, openOptions, Recorder, textOf } from '../../driver-nats/test/support/recorder.ts'
import { type SteadyStream, steadyStream } from '../../driver-nats/test/support/steady-stream.ts'
import { pubsubUnderTest } from './support/pubsub-under-test.ts'
import { reader } from './support/reader.ts'

const TOPIC = 'counted'
const { broker, connection, proxy } = await pubsubUnderTest()
const direct = { ...connection, apiEndpoint: broker.url }

describe.each([0, 5_000, 15_000])('a service that is away for %i ms', (outageMs) => {
  test('is found again under a steady stream, and loses and repeats nothing', async () => {
    const { inbox, stream } = await scene({ connection: direct })
    await inbox.until(() => inbox.messages.length >= 50)
    await broker.kill()
    // An outage that nobody noticed has cost nothing.
    if (outageMs > 0) await inbox.until(() => inbox.types.includes('reconnecting'))
    await wait(outageMs)
    await broker.start()
    const back = performance.now()
    await inbox.until(() => (inbox.times.at(-1) ?? 0) > back)
    expect(inbox.times.find((time) => time > back)! - back).toBeLessThan(3_000)

    const enough = inbox.messages.length + 50
    await inbox.until(() => inbox.messages.length >= enough)
    await stream.stop()
    await inbox.until(() => hasAll(inbox, stream))
    expect(inbox.gaps).toEqual([])
    const noticed = inbox.types.includes('reconnecting')
    expect(inbox.types).toEqual(
      noticed ? ['connected', 'reconnecting', 'connected'] : ['connected'],
    )
    expect(stream.refusals).toBeGreaterThanOrEqual(outageMs > 0 ? 1 : 0)
    expectInOrder(inbox)
  }, 60_000)
})

describe('a service that is absent at the start', () => {
  test('fails the start with the error of the client once the time is over', async () => {
    await whileAway(async () => {
      const driver = gcpPubsubDriver({ connection: direct, startTimeoutMs: 500 })
      const opening = driver.open(new Recorder(), openOptions)
      await expect(opening).rejects.toMatchObject({ code: 14 })
      await driver.close()
    })
  })

  test('is waited for without end when the time is 0', async () => {
    const driver = gcpPubsubDriver({ connection: direct, startTimeoutMs: 0 })
    onTestFinished(() => driver.close())
    const inbox = new Recorder()
    const opening = await whileAway(async () => {
      const promise = driver.open(inbox, openOptions)
      await wait(1_000)
      expect(inbox.statuses).toEqual([])
      return { promise }
    })
    await opening.promise
    expect(inbox.types).toEqual(['connected'])
  })

  test('ends at close, also when it would be waited for without end', async () => {
    await whileAway(async () => {
      const driver = gcpPubsubDriver({ connection: direct, startTimeoutMs: 0 })
      const opening = driver.open(new Recorder(), openOptions)
      await Promise.all([expect(opening).rejects.toBeInstanceOf(Error), driver.close()])
    })
  })
})

describe('a network that is no good', () => {
  test('is noticed within 30 s when nothing gets through, and is left for a new connection', async () => {
    const { driver, inbox } = await reader({ connection }, TOPIC)
    await driver.publish({ topic: TOPIC, payload: bytesOf('0') })
    await inbox.until(() => inbox.messages.length === 1)
    proxy.stall()
    onTestFinished(() => proxy.resume())
    const stalled = performance.now()
    await inbox.until(() => inbox.types.includes('reconnecting'))
    expect(performance.now() - stalled).toBeLessThan(30_000)
    proxy.resume()
    await inbox.until(() => inbox.types.at(-1) === 'connected')
    await driver.publish({ topic: TOPIC, payload: bytesOf('1') })
    await inbox.until(() => inbox.texts.includes('1'))
    expect(inbox.texts).toEqual(['0', '1'])
    expect(inbox.gaps).toEqual([])
  }, 60_000)

  test('is survived when connections are cut again and again', async () => {
    const { inbox, stream } = await scene({ connection })
    for (let round = 0; round < 5; round++) {
      const enough = inbox.messages.length + 20
      await inbox.until(() => inbox.messages.length >= enough)
      proxy.cut()
      proxy.resume()
    }
    await stream.stop()
    await inbox.until(() => hasAll(inbox, stream))
    expectInOrder(inbox)
    expect(inbox.gaps).toEqual([])
  }, 60_000)

  test('is borne when everything takes longer', async () => {
    proxy.delay(200)
    onTestFinished(() => proxy.delay(0))
    const { driver, inbox } = await reader({ connection }, TOPIC)
    await Promise.all(
      ['0', '1', '2'].map((text) => driver.publish({ topic: TOPIC, payload: bytesOf(text) })),
    )
    await inbox.until(() => inbox.messages.length === 3)
    expect(inbox.texts).toEqual(['0', '1', '2'])
    expect(inbox.types).toEqual(['connected'])
  })
})

test('publishing is refused within a bounded time while nobody answers', async () => {
  const { driver } = await reader({ connection, timeoutMs: 1_000 })
  proxy.stall()
  onTestFinished(() => proxy.resume())
  const begin = performance.now()
  await expect(driver.publish({ topic: TOPIC, payload: bytesOf('') })).rejects.toMatchObject({
    code: 4,
  })
  expect(performance.now() - begin).toBeLessThan(3_000)
})

async function scene(
  options: GcpPubsubDriverOptions,
): Promise<{ inbox: Recorder; stream: SteadyStream }> {
  const { driver, inbox } = await reader(options, TOPIC)
  const stream = steadyStream(driver, TOPIC, 20)
  onTestFinished(() => stream.stop())
  return { inbox, stream }
}

async function whileAway<Result>(during: () => Promise<Result>): Promise<Result> {
  await broker.kill()
  try {
    return await during()
  } finally {
    await broker.start()
  }
}

/** Whether all that Pub/Sub accepted arrived. */
function hasAll(inbox: Recorder, stream: SteadyStream): boolean {
  const arrived = new Set(inbox.messages.map(textOf))
  return stream.accepted.every((number) => arrived.has(String(number)))
}

/** Each once, and none before one that was published earlier. */
function expectInOrder(inbox: Recorder): void {
  const numbers = inbox.texts.map(Number)
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
}
