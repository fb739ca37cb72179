import type { Position } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { numbers, type OpenDriver, textMessage } from './stage.ts'

/** Messages keep the order that the driver's capability promises; whatever it is, all of them arrive. */
export const orderingCases: readonly ContractCase[] = casesOf('ordering', {
  "keeps one publisher's order on a topic, though it waits for nothing": async (stage) => {
    const topic = stage.topic('counted')
    const reader = await stage.open(topic)
    const publisher = await stage.open()
    await Promise.all(
      numbers(500).map((text) => publisher.driver.publish(textMessage(topic, text))),
    )
    await reader.inbox.untilCount(topic, 500)
    expect(inPromisedOrder(reader, reader.inbox.texts(topic))).toEqual(numbers(500))
  },

  'keeps the order of messages that several subscriptions match': async (stage) => {
    const topic = stage.topic('pets.dogs')
    const reader = await stage.open(topic)
    if (reader.driver.capabilities.patterns) await reader.driver.subscribe(stage.topic('pets.**'))
    for (const text of numbers(100)) await reader.driver.publish(textMessage(topic, text))
    await reader.inbox.untilCount(topic, 100)
    expect(inPromisedOrder(reader, reader.inbox.texts(topic))).toEqual(numbers(100))
  },

  'keeps the order of small messages behind large ones': async (stage) => {
    const topic = stage.topic('sizes')
    const reader = await stage.open(topic)
    const texts = numbers(20).map((text) => text.padEnd(Number(text) % 2 === 0 ? 200_000 : 2, ' '))
    await Promise.all(texts.map((text) => reader.driver.publish(textMessage(topic, text))))
    await reader.inbox.untilCount(topic, texts.length)
    const arrived = reader.inbox.texts(topic).map((text) => text.trim())
    expect(inPromisedOrder(reader, arrived)).toEqual(numbers(20))
  },

  'shows readers of a topic with several publishers the order that it promises': async (stage) => {
    const topic = stage.topic('shared')
    const readers = [await stage.open(topic), await stage.open(topic)]
    const publishers = { a: await stage.open(), b: await stage.open() }
    const sent = Object.entries(publishers).flatMap(([name, { driver }]) =>
      numbers(100).map((text) => ({ driver, text: `${name}${text}` })),
    )
    const interleaved = sent.toSorted((a, b) => Number(a.text.slice(1)) - Number(b.text.slice(1)))
    await Promise.all(
      interleaved.map(({ driver, text }) => driver.publish(textMessage(topic, text))),
    )
    for (const reader of readers) {
      await reader.inbox.untilCount(topic, 200)
      for (const name of Object.keys(publishers)) {
        const own = reader.inbox.texts(topic).filter((text) => text.startsWith(name))
        const counted = own.map((text) => text.slice(1))
        expect(inPromisedOrder(reader, counted)).toEqual(numbers(100))
      }
    }
    const [one, other] = readers.map(({ inbox }) => inbox.texts(topic))
    if (readers[0]!.driver.capabilities.ordering === 'topic') expect(one).toEqual(other)
  },

  'gives every message a position that grows, and that all readers see alike, or none': async (
    stage,
  ) => {
    const topics = numbers(3).map((name) => stage.topic(name))
    const readers = [await stage.open(...topics), await stage.open(...topics)]
    const publisher = await stage.open()
    for (const text of numbers(60)) {
      await publisher.driver.publish(textMessage(topics[Number(text) % 3]!, text))
    }
    const seen = []
    for (const { driver, inbox } of readers) {
      for (const topic of topics) await inbox.untilCount(topic, 20)
      const positions = new Map<string, Position>()
      const last = new Map<string, Position['offset']>()
      for (const { topic, payload, position } of inbox.messages) {
        expect(position !== undefined).toBe(driver.capabilities.positions)
        if (position === undefined) continue
        positions.set(`${topic} ${new TextDecoder().decode(payload)}`, position)
        const log = `${position.log} ${position.epoch}`
        expect(position.offset > (last.get(log) ?? -1)).toBe(true)
        last.set(log, position.offset)
      }
      seen.push(positions)
    }
    for (const [message, position] of seen[0]!) expect(seen[1]!.get(message)).toEqual(position)
  },
})

/** As they came if the driver promises an order, else sorted. */
export function inPromisedOrder({ driver }: Pick<OpenDriver, 'driver'>, texts: string[]): string[] {
  return driver.capabilities.ordering === 'none'
    ? texts.toSorted((a, b) => Number(a) - Number(b))
    : texts
}
