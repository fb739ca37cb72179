import type { Streamer } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { type ReadEvent, readEvents } from './event-reader.ts'
import { inPromisedOrder } from './ordering.ts'
import { numbers, type Stage, textMessage } from './stage.ts'

/** Stands behind what a client is to read, so that one event too many is noticed. */
const LAST = '1000000'

/** With a Streamer on the driver: a client that comes back gets what it missed, once, in order. */
export const resumeCases: readonly ContractCase[] = [
  ...casesOf('resume', {
    'gives a client what was published before it first connected': async (stage) => {
      const { topic, client, streamer } = await scene(stage)
      for (const text of [...numbers(20), LAST]) await streamer.publish(topic, text)
      const events = await readEvents(streamer, client, undefined, isLast)
      expect(await texts(stage, events)).toEqual([...numbers(20), LAST])
    },

    'gives a client that comes back exactly what it missed': async (stage) => {
      const { topic, client, streamer } = await scene(stage)
      for (const text of numbers(10)) await streamer.publish(topic, text)
      const seen = await readEvents(streamer, client, undefined, ({ length }) => length === 10)
      for (const text of numbers(30).slice(10)) await streamer.publish(topic, text)
      await streamer.publish(topic, LAST)
      const missed = await readEvents(streamer, client, seen.at(-1)!.cursor, isLast)
      expect(await texts(stage, [...seen, ...missed])).toEqual([...numbers(30), LAST])
    },

    'resumes from every event': async (stage) => {
      const { topic, client, streamer } = await scene(stage)
      for (const text of [...numbers(12), LAST]) await streamer.publish(topic, text)
      const all = await readEvents(streamer, client, undefined, isLast)
      for (const [i, { cursor }] of all.slice(0, -1).entries()) {
        const rest = await readEvents(streamer, client, cursor, isLast)
        expect(rest.map(({ data }) => data)).toEqual(all.slice(i + 1).map(({ data }) => data))
      }
    },

    'loses nothing while messages pour in and the connection is cut again and again': async (
      stage,
    ) => {
      const { topic, client, streamer } = await scene(stage)
      const publishing = (async () => {
        for (const text of [...numbers(300), LAST]) await streamer.publish(topic, text)
      })()
      const events: ReadEvent[] = []
      while (!isLast(events)) {
        const cursor = events.at(-1)?.cursor
        const enough = (read: readonly ReadEvent[]): boolean => read.length >= 20 || isLast(read)
        events.push(...(await readEvents(streamer, client, cursor, enough)))
      }
      await publishing
      expect(await texts(stage, events)).toEqual([...numbers(300), LAST])
    },

    'resumes what came by overlapping subscriptions, once': async (stage) => {
      const driver = await stage.create()
      const overlapping = driver.capabilities.patterns ? [stage.topic('*'), stage.topic('**')] : []
      const { topic, client, streamer } = await scene(stage, overlapping)
      await streamer.publish(topic, '0')
      const seen = await readEvents(streamer, client, undefined, ({ length }) => length === 1)
      for (const text of ['1', '2', LAST]) await streamer.publish(topic, text)
      const missed = await readEvents(streamer, client, seen[0]!.cursor, isLast)
      expect(await texts(stage, missed)).toEqual(['1', '2', LAST])
      expect(new Set(missed.map(({ event }) => event))).toEqual(new Set([topic]))
    },

    'resumes messages to one client': async (stage) => {
      const { client, streamer } = await scene(stage)
      await streamer.send(client, '0')
      const seen = await readEvents(streamer, client, undefined, ({ length }) => length === 1)
      for (const text of ['1', LAST]) await streamer.send(client, text)
      const missed = await readEvents(streamer, client, seen[0]!.cursor, isLast)
      expect(await texts(stage, missed)).toEqual(['1', LAST])
    },
  }),
  ...casesOf(
    'resume',
    {
      "resumes messages of the broker's own client": async (stage) => {
        const { topic, client, streamer } = await scene(stage)
        await stage.harness.publishPlain!(textMessage(topic, '0'))
        const seen = await readEvents(streamer, client, undefined, ({ length }) => length === 1)
        for (const text of ['1', '2', LAST])
          await stage.harness.publishPlain!(textMessage(topic, text))
        const missed = await readEvents(streamer, client, seen[0]!.cursor, isLast)
        expect(await texts(stage, missed)).toEqual(['1', '2', LAST])
      },
    },
    'publishPlain',
  ),
]

async function scene(
  stage: Stage,
  also: readonly string[] = [],
): Promise<{ topic: string; client: string; streamer: Streamer }> {
  const topic = stage.topic('counted')
  const streamer = await stage.streamer()
  const { id } = await streamer.newClient({ topics: [topic, ...also] })
  return { topic, client: id, streamer }
}

function isLast(events: readonly ReadEvent[]): boolean {
  return events.at(-1)?.data === LAST
}

async function texts(stage: Stage, events: readonly ReadEvent[]): Promise<string[]> {
  const driver = await stage.create()
  return inPromisedOrder(
    { driver },
    events.map(({ data }) => data),
  )
}
