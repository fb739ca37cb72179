import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Streamer } from '../src/index.ts'
import { ModelClient, type ModelMessage } from './support/model-client.ts'
import { serveStreamer } from './support/serve-streamer.ts'

const IDS = ['one', 'other']
const TOPICS = ['a.b', 'a.c', 'a', 'z']
/** What each subscription delivers, written down by hand, in the order of precedence. */
const MATCHING = {
  'a.b': ['a.b'],
  z: ['z'],
  'a.**': ['a', 'a.b', 'a.c'],
  'a.*': ['a.b', 'a.c'],
  '**': TOPICS,
}

type Step =
  | { readonly do: 'publish'; readonly topic: string }
  | { readonly do: 'send' | 'connect'; readonly id: string }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly id: string; readonly topic: string }
  | { readonly do: 'cut'; readonly id: string; readonly read: number }

const id = fc.constantFrom(...IDS)
const subscription = fc.constantFrom(...Object.keys(MATCHING))

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: stepOf('publish', { topic: fc.constantFrom(...TOPICS) }) },
    { weight: 1, arbitrary: stepOf('send', { id }) },
    { weight: 3, arbitrary: stepOf('connect', { id }) },
    { weight: 3, arbitrary: stepOf('subscribe', { id, topic: subscription }) },
    { weight: 1, arbitrary: stepOf('unsubscribe', { id, topic: subscription }) },
    { weight: 3, arbitrary: stepOf('cut', { id, read: fc.nat({ max: 8 }) }) },
  ),
  { minLength: 10, maxLength: 80 },
)

test('gives each client exactly what it should get, once and in order, whatever happens', async () => {
  const { streamer, url } = await serveStreamer({ lingerMs: 10_000 })
  let read = 0
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const flow: ModelMessage[] = []
      const clients = new Map<string, ModelClient>()
      for (const each of IDS) {
        await streamer.removeClient(each)
        await streamer.newClient({ id: each })
        const values = { streamer, flow, matching: MATCHING, url: url(each), id: each }
        clients.set(each, new ModelClient(values))
      }
      for (const step of sequence) await run(step, streamer, flow, clients)
      for (const each of clients.values()) await each.finish()
      read += flow.length
    }),
    { numRuns: 60 },
  )
  expect(read).toBeGreaterThan(0)
})

async function run(
  step: Step,
  streamer: Streamer,
  flow: ModelMessage[],
  clients: ReadonlyMap<string, ModelClient>,
): Promise<void> {
  switch (step.do) {
    case 'publish':
      flow.push({ topic: step.topic })
      await streamer.publish(step.topic, String(flow.length))
      for (const client of clients.values()) client.published()
      return
    case 'send':
      flow.push({ to: step.id })
      await streamer.send(step.id, String(flow.length))
      for (const client of clients.values()) client.published()
      return
    case 'connect':
      return clients.get(step.id)!.connect()
    case 'cut':
      return clients.get(step.id)!.cut(step.read)
    case 'subscribe':
    case 'unsubscribe':
      return clients.get(step.id)![step.do](step.topic)
  }
}

function stepOf(
  name: Step['do'],
  values: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Step> {
  return fc.record({ do: fc.constant(name), ...values }) as fc.Arbitrary<Step>
}
