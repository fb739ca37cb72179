import { setTimeout as wait } from 'node:timers/promises'
import type { Broker } from '@asbru/brokers'
import { CONTROL_PREFIX } from '@asbru/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bytes, type Opened, openedDriver, openOptions, Recorder, until } from './recorder.ts'
import { expectRefusal } from './refusal.ts'
import { publisherOf, type SteadyStream, steadyStream } from './steady-stream.ts'
import { expectNoSilentLoss } from './tally.ts'
import type { Way } from './way.ts'

/** Messages flow again by themselves so soon after the broker is back. */
const BACK_WITHIN_MS = 3_000
const ENOUGH = 50

/** What is killed, and who must bear it. */
export interface OutageTrial {
  /** Stands in the titles. */
  readonly name: string
  readonly broker: Broker
  readonly ways: readonly Way[]
}

/** Registers tests of what a driver does when its broker is killed and comes back; all ways bear it together. */
export function describeOutages(
  { name, broker, ways }: OutageTrial,
  outagesMs: readonly number[] = [0, 5_000, 15_000],
): void {
  describe(`${name} that is killed`, () => {
    test.each(outagesMs)(
      'and away for %i ms is found again under a steady stream; what may be missing is told',
      { timeout: 120_000 },
      async (outageMs) => {
        const scenes = await Promise.all(
          ways.map((way, i) => begin(way, `outage-${outageMs}-${i}`)),
        )
        await broker.kill()
        for (const each of scenes) await each.notices(outageMs)
        await wait(outageMs)
        const before = scenes.map(({ readers }) => readers.map(({ messages }) => messages.length))
        await broker.start()
        await until(
          () => scenes.every(({ readers }, i) => readers.every(hasMoreThan(before[i]!))),
          BACK_WITHIN_MS,
        )
        for (const each of scenes) {
          await each.ends()
          await each.expectAll(outageMs)
        }
      },
    )

    test('carries what replicas tell each other again', { timeout: 120_000 }, async () => {
      const topic = `${CONTROL_PREFIX}outage`
      const readers = await Promise.all(
        ways.map(async (way) => openedDriver(await way.driver('broker'), topic)),
      )
      await broker.kill()
      await broker.start()
      for (const reader of readers) {
        await until(async () => {
          await reader.driver.publish({ topic, payload: bytes('again') }).catch(() => {})
          return reader.texts.includes('again')
        })
      }
    })
  })
}

/** Registers tests of what a driver does while its broker is absent, at the start and later. */
export function describeAbsence({ name, broker, ways }: OutageTrial): void {
  describe.each([...ways])(`${name} that is absent, for $name`, (way) => {
    test('refuses what is published, within a bounded time, and takes it when it is back', async () => {
      const reader = await openedDriver(await way.driver('broker'), 'again')
      await whileAway(broker, async () => {
        await expectRefusal(way, reader.driver)
      })
      await until(() => reader.types.at(-1) === 'connected')
      await reader.driver.publish({ topic: 'again', payload: bytes('again') })
      await until(() => reader.texts.includes('again'))
      expect(reader.texts).toEqual(['again'])
    })

    test('fails the start with the error of the client once the time is over', async () => {
      await whileAway(broker, async () => {
        const driver = await way.driver('broker', { startTimeoutMs: 1_000 })
        await expect(driver.open(new Recorder(), openOptions())).rejects.toMatchObject(way.absence)
        await driver.close()
      })
    })

    test('is waited for without end when the time is 0', async () => {
      const opening = await whileAway(broker, async () => {
        const driver = await way.driver('broker', { startTimeoutMs: 0 })
        onTestFinished(() => driver.close())
        const reader = new Recorder()
        const opened = driver.open(reader, openOptions())
        await wait(1_000)
        expect(reader.all).toEqual([])
        return { driver, reader, opened }
      })
      const { driver, reader, opened } = opening
      await opened
      await driver.subscribe('late')
      await driver.publish({ topic: 'late', payload: bytes('late') })
      await until(() => reader.texts.includes('late'))
      expect(reader.all).toEqual(['connected', 'late'])
    })

    test('ends at close, also when it would be waited for without end', async () => {
      await whileAway(broker, async () => {
        const driver = await way.driver('broker', { startTimeoutMs: 0 })
        const opening = driver.open(new Recorder(), openOptions())
        await Promise.all([expect(opening).rejects.toBeInstanceOf(Error), driver.close()])
      })
    })
  })
}

/** Two replicas that read what is published in a steady stream. */
class Scene {
  readonly readers: readonly Opened[]
  readonly #way: Way
  readonly #topic: string
  readonly #stream: SteadyStream

  constructor(way: Way, topic: string, readers: readonly Opened[], stream: SteadyStream) {
    this.#way = way
    this.#topic = topic
    this.readers = readers
    this.#stream = stream
  }

  /** Waits until the outage was noticed, if it must be. */
  async notices(outageMs: number): Promise<void> {
    if (this.#mayOverlook(outageMs)) return
    for (const reader of this.readers) await until(() => reader.told('reconnecting') > 0)
  }

  /** Waits until messages flow for a while, and the last one is there. */
  async ends(): Promise<void> {
    const before = this.readers.map(({ messages }) => messages.length + ENOUGH)
    await until(() => this.readers.every(hasMoreThan(before)))
    await this.#stream.stop()
    const last = this.#stream.accepted.at(-1)!
    await until(() => this.readers.every(({ numbers }) => numbers.at(-1)! >= last))
  }

  async expectAll(outageMs: number): Promise<void> {
    const { tellsGapOfOutage, keepsAll, publish, stored } = this.#way
    const { accepted, refusals } = this.#stream
    // A driver that publishes says so when it cannot.
    if (publish === undefined && outageMs > 0) expect(refusals).toBeGreaterThan(0)
    // The log decides what was accepted: an answer may have been lost, and a client have sent again.
    const log = await stored?.(this.#topic, this.readers[0]!.messages.length)
    for (const reader of this.readers) {
      const expected = ['connected', 'reconnecting', 'connected']
      if (tellsGapOfOutage) expected.splice(2, 0, 'gap')
      const isOverlooked = this.#mayOverlook(outageMs) && reader.types.length === 1
      expect(reader.types).toEqual(isOverlooked ? ['connected'] : expected)
      if (tellsGapOfOutage) expect(reader.gaps).toEqual(['broker-reconnected'])
      if (log === undefined) expectNoSilentLoss(reader, accepted)
      else expect(reader.numbers).toEqual(log)
      if (keepsAll) expect(missingOf(accepted, reader.numbers)).toEqual([])
    }
  }

  #mayOverlook(outageMs: number): boolean {
    return outageMs === 0 && this.#way.mayOverlookOutage === true
  }
}

async function begin(way: Way, topic: string): Promise<Scene> {
  const readers = [
    await openedDriver(await way.driver('broker'), topic),
    await openedDriver(await way.driver('broker'), topic),
  ]
  const stream = steadyStream(await publisherOf(way), topic, way.pauseMs)
  await until(() => readers.every(({ messages }) => messages.length > ENOUGH))
  return new Scene(way, topic, readers, stream)
}

async function whileAway<Result>(broker: Broker, during: () => Promise<Result>): Promise<Result> {
  await broker.kill()
  try {
    return await during()
  } finally {
    await broker.start()
  }
}

function hasMoreThan(before: readonly number[]): (reader: Recorder, i: number) => boolean {
  return ({ messages }, i) => messages.length > before[i]!
}

function missingOf(wanted: readonly number[], got: readonly number[]): number[] {
  const there = new Set(got)
  return wanted.filter((number) => !there.has(number))
}
