import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { type OpenDriver, type Stage, textMessage } from './stage.ts'

/** A lost connection is told, survived, and never hides a loss. */
export const failureCases: readonly ContractCase[] = [
  ...casesOf('failure', {
    'goes on when another driver closes in the middle of the flow': async (stage) => {
      const topic = stage.topic('news')
      const staying = await stage.open(topic)
      for (let round = 0; round < 5; round++) {
        const leaving = await stage.open(topic)
        const published = staying.driver.publish(textMessage(topic, String(round)))
        await leaving.driver.close()
        await published
      }
      await staying.inbox.untilCount(topic, 5)
      await stage.settle(staying)
      expect(staying.inbox.texts(topic).toSorted()).toEqual(['0', '1', '2', '3', '4'])
    },

    'goes on after calls that a closed driver refused': async (stage) => {
      const topic = stage.topic('news')
      const reader = await stage.open(topic)
      const closed = await stage.open(topic)
      await closed.driver.close()
      await Promise.allSettled([
        closed.driver.publish(textMessage(topic, 'refused')),
        closed.driver.subscribe(topic),
      ])
      await reader.driver.publish(textMessage(topic, 'hello'))
      await stage.settle(reader)
      expect(reader.inbox.texts(topic)).toEqual(['hello'])
    },
  }),
  ...casesOf(
    'failure',
    {
      'says that it reconnects, and then that it is connected': async (stage) => {
        const reader = await stage.open()
        await whileBroken(stage, reader, async () => {})
        const types = reader.inbox.statuses.map(({ type }) => type)
        expect(types.indexOf('reconnecting')).toBeGreaterThan(0)
        expect(types.lastIndexOf('connected')).toBeGreaterThan(types.indexOf('reconnecting'))
      },

      'refuses to publish while the broker is out of reach, and publishes after': async (stage) => {
        const topic = stage.topic('news')
        const reader = await stage.open(topic)
        await whileBroken(stage, reader, () =>
          expect(reader.driver.publish(textMessage(topic, 'lost'))).rejects.toBeInstanceOf(Error),
        )
        await reader.driver.publish(textMessage(topic, 'after'))
        await reader.inbox.until('the message after', () =>
          reader.inbox.texts(topic).includes('after'),
        )
      },

      'restores all subscriptions without being asked': async (stage) => {
        const topics = ['a', 'b', 'c.d'].map((name) => stage.topic(name))
        const reader = await stage.open(...topics)
        const { patterns } = reader.driver.capabilities
        if (patterns) await reader.driver.subscribe(stage.topic('pets.**'))
        await whileBroken(stage, reader, async () => {})
        const all = patterns ? [...topics, stage.topic('pets.dogs')] : topics
        for (const topic of all) await reader.driver.publish(textMessage(topic, 'after'))
        for (const topic of all) await reader.inbox.untilCount(topic, 1)
        await stage.settle(reader)
        for (const topic of all) expect(reader.inbox.texts(topic)).toEqual(['after'])
      },

      'does not restore what was unsubscribed': async (stage) => {
        const [left, kept] = [stage.topic('left'), stage.topic('kept')]
        const reader = await stage.open(left, kept)
        await reader.driver.unsubscribe(left)
        await whileBroken(stage, reader, async () => {})
        for (const topic of [left, kept]) await reader.driver.publish(textMessage(topic, 'after'))
        await reader.inbox.untilCount(kept, 1)
        await stage.settle(reader)
        expect(reader.inbox.texts(left)).toEqual([])
      },

      'refuses a subscribe while the broker is out of reach, or keeps it': async (stage) => {
        const topic = stage.topic('news')
        const reader = await stage.open()
        let subscribed: Promise<boolean> | undefined
        await whileBroken(stage, reader, async () => {
          subscribed = reader.driver.subscribe(topic).then(
            () => true,
            () => false,
          )
        })
        if (!(await subscribed!)) await reader.driver.subscribe(topic)
        await reader.driver.publish(textMessage(topic, 'after'))
        await reader.inbox.untilCount(topic, 1)
      },

      'survives one break after another': async (stage) => {
        const topic = stage.topic('news')
        const reader = await stage.open(topic)
        for (const round of ['0', '1', '2']) {
          await whileBroken(stage, reader, async () => {})
          await reader.driver.publish(textMessage(topic, round))
          await reader.inbox.until(`message ${round}`, () =>
            reader.inbox.texts(topic).includes(round),
          )
        }
        await stage.settle(reader)
        expect(reader.inbox.texts(topic)).toEqual(['0', '1', '2'])
      },

      'delivers what it missed, or tells a gap before what came after': async (stage) => {
        const topic = stage.topic('news')
        const reader = await stage.open(topic)
        await whileBroken(stage, reader, async () => {
          await stage.harness.publishPlain?.(textMessage(topic, 'missed'))
        })
        await reader.driver.publish(textMessage(topic, 'after'))
        await reader.inbox.until('the message after', () =>
          reader.inbox.texts(topic).includes('after'),
        )
        const gap = (): number =>
          reader.inbox.all.findIndex((item) => 'type' in item && item.type === 'gap')
        // Of two publishers, the later may be heard first.
        const isMissedPublished = stage.harness.publishPlain !== undefined
        if (isMissedPublished && gap() === -1) {
          await reader.inbox.until(
            'the missed message, or a gap',
            () => reader.inbox.texts(topic).includes('missed') || gap() !== -1,
          )
        }
        const told = gap()
        const after = reader.inbox.all.findIndex((item) => isText(item, 'after'))
        if (!isMissedPublished) expect(told).toBeGreaterThan(0)
        if (told >= 0) expect(told).toBeLessThan(after)
      },
    },
    'breakConnection',
  ),
]

/** Cuts the connection, runs `during`, and waits until the driver says that it is connected again. */
async function whileBroken(
  stage: Stage,
  { inbox }: OpenDriver,
  during: () => Promise<void>,
): Promise<void> {
  const { harness } = stage
  const before = inbox.statuses.length
  const since = (type: string): boolean =>
    inbox.statuses.slice(before).some((status) => status.type === type)
  await harness.breakConnection!()
  try {
    await inbox.until('`reconnecting`', () => since('reconnecting'))
    await during()
  } finally {
    await harness.restoreConnection!()
  }
  await inbox.until('`connected`', () => since('connected'))
}

function isText(item: object, text: string): boolean {
  return 'payload' in item && new TextDecoder().decode(item.payload as Uint8Array) === text
}
