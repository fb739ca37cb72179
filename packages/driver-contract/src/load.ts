import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { inPromisedOrder } from './ordering.ts'
import { numbers, textMessage } from './stage.ts'

const TOPICS = 50
const DEFAULT_MESSAGES = 10_000
/** How many publishes are under way at a time. */
const UNDER_WAY = 500

/** Much at a time changes nothing of what holds for little. */
export const loadCases: readonly ContractCase[] = casesOf('load', {
  'delivers thousands of messages over 50 topics, none lost or repeated': async (stage) => {
    const messages = stage.harness.loadMessages ?? DEFAULT_MESSAGES
    const topics = numbers(TOPICS).map((name) => stage.topic(name))
    const reader = await stage.open()
    await Promise.all(topics.map((topic) => reader.driver.subscribe(topic)))
    const publisher = await stage.open()
    for (let sent = 0; sent < messages; sent += UNDER_WAY) {
      const some = Array.from({ length: UNDER_WAY }, (_, i) => {
        const text = String(Math.floor((sent + i) / TOPICS))
        return publisher.driver.publish(textMessage(topics[(sent + i) % TOPICS]!, text))
      })
      await Promise.all(some)
    }
    for (const topic of topics) await reader.inbox.untilCount(topic, messages / TOPICS)
    await stage.settle(reader)
    const expected = numbers(messages / TOPICS)
    for (const topic of topics)
      expect(inPromisedOrder(reader, reader.inbox.texts(topic))).toEqual(expected)
  },

  'subscribes to 200 topics at once, and leaves half of them at once': async (stage) => {
    const topics = numbers(200).map((name) => stage.topic(name))
    const reader = await stage.open()
    await Promise.all(topics.map((topic) => reader.driver.subscribe(topic)))
    await Promise.all(topics.map((topic) => reader.driver.publish(textMessage(topic, 'all'))))
    for (const topic of topics) await reader.inbox.untilCount(topic, 1)
    const left = topics.filter((_, i) => i % 2 === 1)
    await Promise.all(left.map((topic) => reader.driver.unsubscribe(topic)))
    await Promise.all(topics.map((topic) => reader.driver.publish(textMessage(topic, 'half'))))
    for (const topic of topics) if (!left.includes(topic)) await reader.inbox.untilCount(topic, 2)
    await stage.settle(reader)
    for (const topic of topics) {
      const expected = left.includes(topic) ? ['all'] : ['all', 'half']
      expect(reader.inbox.texts(topic)).toEqual(expected)
    }
  },

  'subscribes and unsubscribes 200 topics at the same time, each ending as it was told': async (
    stage,
  ) => {
    const topics = numbers(200).map((name) => stage.topic(name))
    const reader = await stage.open()
    await Promise.all(
      topics.map(async (topic, i) => {
        await reader.driver.subscribe(topic)
        await reader.driver.unsubscribe(topic)
        if (i % 2 === 0) await reader.driver.subscribe(topic)
      }),
    )
    await Promise.all(topics.map((topic) => reader.driver.publish(textMessage(topic, 'hello'))))
    for (const [i, topic] of topics.entries())
      if (i % 2 === 0) await reader.inbox.untilCount(topic, 1)
    await stage.settle(reader)
    const delivered = topics.filter((topic) => reader.inbox.texts(topic).length > 0)
    expect(delivered).toEqual(topics.filter((_, i) => i % 2 === 0))
  },

  'serves 10 drivers on one topic at once': async (stage) => {
    const topic = stage.topic('busy')
    const readers = await Promise.all(numbers(10).map(() => stage.open(topic)))
    await Promise.all(
      readers.flatMap(({ driver }, i) =>
        numbers(20).map((text) => driver.publish(textMessage(topic, `${i}-${text}`))),
      ),
    )
    for (const reader of readers) {
      await reader.inbox.untilCount(topic, 200)
      await stage.settle(reader)
      expect(new Set(reader.inbox.texts(topic)).size).toBe(200)
      expect(reader.inbox.texts(topic)).toHaveLength(200)
    }
  },
})
