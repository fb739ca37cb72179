import type { Driver } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase, type ContractScript } from './contract-case.ts'
import { numbers, type Stage, textMessage } from './stage.ts'

/** Every method that needs an open driver. */
const METHODS: Readonly<Record<string, (driver: Driver, topic: string) => Promise<void>>> = {
  subscribe: (driver, topic) => driver.subscribe(topic),
  unsubscribe: (driver, topic) => driver.unsubscribe(topic),
  publish: (driver, topic) => driver.publish(textMessage(topic, 'hello')),
}

/** What holds before, during and after `open` and `close`, for every method. */
export const lifecycleCases: readonly ContractCase[] = [
  ...casesOf('lifecycle', {
    'says that it is connected before open resolves': async (stage) => {
      const { inbox } = await stage.open()
      expect(inbox.told('connected')).toBe(true)
    },

    'hands over nothing before the first subscribe': async (stage) => {
      const topic = stage.topic('early')
      const publisher = await stage.open()
      await publisher.driver.publish(textMessage(topic, 'hello'))
      const reader = await stage.open()
      await publisher.driver.publish(textMessage(topic, 'hello'))
      await stage.settle(publisher)
      await stage.settle(reader)
      expect(reader.inbox.texts(topic)).toEqual([])
    },

    'closes before it was opened, and does not open after': async (stage) => {
      const driver = await stage.create()
      await driver.close()
      await expect(driver.open(stage.inbox(), stage.openOptions)).rejects.toBeInstanceOf(Error)
    },

    'closes while it is being opened': async (stage) => {
      const driver = await stage.create()
      const inbox = stage.inbox()
      const opening = settled(driver.open(inbox, stage.openOptions))
      await driver.close()
      await opening
      await staysClosed(stage, driver, () => inbox.messages.length)
    },

    'closes as often as it is told': async (stage) => {
      const { driver } = await stage.open(stage.topic('news'))
      await Promise.all([driver.close(), driver.close()])
      await driver.close()
    },

    'does not open once it was closed': async (stage) => {
      const { driver } = await stage.open()
      await driver.close()
      await expect(driver.open(stage.inbox(), stage.openOptions)).rejects.toBeInstanceOf(Error)
    },

    'hands over nothing after close has resolved': async (stage) => {
      const topic = stage.topic('news')
      const closing = await stage.open(topic)
      const other = await stage.open(topic)
      const published = numbers(200).map((text) => other.driver.publish(textMessage(topic, text)))
      await closing.driver.close()
      const atClose = closing.inbox.messages.length
      await Promise.all(published)
      await other.driver.publish(textMessage(topic, 'late'))
      await other.inbox.untilCount(topic, 201)
      await stage.settle(other)
      expect(closing.inbox.messages).toHaveLength(atClose)
    },

    'leaves the broker as it was for the driver that comes next': async (stage) => {
      const topic = stage.topic('news')
      const first = await stage.open(topic)
      await first.driver.close()
      const next = await stage.open(topic)
      await next.driver.publish(textMessage(topic, 'hello'))
      await stage.settle(next)
      expect(next.inbox.texts(topic)).toEqual(['hello'])
      expect(first.inbox.texts(topic)).toEqual([])
    },

    ...eachMethod('before open', (call) => async (stage) => {
      const driver = await stage.create()
      await expect(call(driver, stage.topic('early'))).rejects.toBeInstanceOf(Error)
    }),

    ...eachMethod('after close', (call) => async (stage) => {
      const topic = stage.topic('late')
      const { driver } = await stage.open(topic)
      await driver.close()
      await expect(call(driver, topic)).rejects.toBeInstanceOf(Error)
    }),

    ...Object.fromEntries(
      Object.entries(METHODS).map(([name, call]): [string, ContractScript] => [
        `closes during ${name}, which then settles`,
        async (stage) => {
          const topic = stage.topic('busy')
          const { driver, inbox } = await stage.open(topic)
          const calls = settled(call(driver, topic))
          await driver.close()
          await calls
          await staysClosed(stage, driver, () => inbox.messages.length)
        },
      ]),
    ),
  }),
  ...casesOf(
    'lifecycle',
    {
      'opens again after an open that failed': async (stage) => {
        const driver = await stage.create()
        const inbox = stage.inbox()
        await stage.harness.breakConnection!()
        try {
          await expect(driver.open(inbox, stage.openOptions)).rejects.toBeInstanceOf(Error)
        } finally {
          await stage.harness.restoreConnection!()
        }
        await driver.open(inbox, stage.openOptions)
        const topic = stage.topic('again')
        await driver.subscribe(topic)
        await driver.publish(textMessage(topic, 'hello'))
        await stage.settle({ driver, inbox })
        expect(inbox.texts(topic)).toEqual(['hello'])
      },

      'closes while the broker is out of reach': async (stage) => {
        const { driver, inbox } = await stage.open(stage.topic('news'))
        await stage.harness.breakConnection!()
        try {
          await driver.close()
        } finally {
          await stage.harness.restoreConnection!()
        }
        await staysClosed(stage, driver, () => inbox.messages.length)
      },
    },
    'breakConnection',
  ),
]

function eachMethod(
  when: string,
  scriptOf: (call: (typeof METHODS)[string]) => ContractScript,
): Record<string, ContractScript> {
  return Object.fromEntries(
    Object.entries(METHODS).map(([name, call]) => [`refuses ${name} ${when}`, scriptOf(call)]),
  )
}

async function settled(call: Promise<void>): Promise<void> {
  await Promise.allSettled([call])
}

/** Expects a closed driver to hand over nothing and to take nothing. */
async function staysClosed(stage: Stage, driver: Driver, handedOver: () => number): Promise<void> {
  const atClose = handedOver()
  const topic = stage.topic('busy')
  await expect(driver.publish(textMessage(topic, 'late'))).rejects.toBeInstanceOf(Error)
  const other = await stage.open()
  await other.driver.publish(textMessage(topic, 'late'))
  await stage.settle(other)
  expect(handedOver()).toBe(atClose)
}
