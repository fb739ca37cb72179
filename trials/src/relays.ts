import { EventSource } from 'eventsource'
import { describe, expect, onTestFinished, test } from 'vitest'
import { post, serve, type ServingAsbru } from '../../packages/server/test/support/asbru.ts'
import { until } from './recorder.ts'

/** How two relays are started on one broker, and how any other program publishes to it. */
export interface RelayTrial {
  /** Stands in the title: `Redis in streams`. */
  readonly name: string
  /** Those of `asbru serve`. */
  readonly args: readonly string[]
  /** @default true */
  readonly hasPatterns?: boolean
  /** Publishes a text to the topic `orders.42`, with the broker's plain client. */
  readonly publish: (text: string) => Promise<unknown>
}

const TOPIC = 'orders.42'
const COUNT = 200

/** Registers a test of two relays without any other tie than the broker, and EventSource clients on both. */
export function describeRelays(trials: readonly RelayTrial[]): void {
  describe.each(trials)('two relays on $name', ({ args, hasPatterns = true, publish }) => {
    test(
      'give the clients of both all that is published, by a plain client or by one of them',
      { timeout: 60_000 },
      async () => {
        const relays = await Promise.all([serve(args), serve(args)])
        const clients = await Promise.all(
          relays.flatMap((relay) => [
            eventsOf(relay, TOPIC),
            eventsOf(relay, hasPatterns ? 'orders.*' : TOPIC),
          ]),
        )
        const numbers = Array.from({ length: COUNT }, (_, i) => String(i))
        for (const number of numbers) await publish(number)
        for (const { api } of relays) await post(`${api}/topics/${TOPIC}/messages`, { from: api })
        const expected = [...numbers, ...relays.map(({ api }) => `{"from":"${api}"}`)]
        await until(() => clients.every((texts) => texts.length >= expected.length))
        for (const texts of clients) expect(texts).toEqual(expected)
      },
    )
  })
}

/** What a client of a relay is sent as events of that name, from when it is connected. */
export async function eventsOf(
  { api, events }: ServingAsbru,
  topic: string,
  name: string = topic,
): Promise<string[]> {
  const { id } = await post(`${api}/clients`, { topics: [topic] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  const texts: string[] = []
  source.addEventListener(name, ({ data }) => texts.push(String(data)))
  await new Promise((resolve) => source.addEventListener('message', resolve, { once: true }))
  return texts
}
