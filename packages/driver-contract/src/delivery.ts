import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { CONTROL_PREFIX } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { inPromisedOrder } from './ordering.ts'
import { numbers, textMessage } from './stage.ts'

const MEBIBYTE = 1024 * 1024

/** Segments that are legal in topics, and that brokers use for something else. */
const ODD_SEGMENTS = [
  'a$b',
  'a/b',
  'a:b',
  'a+b',
  'a?b',
  'a%2Eb',
  'a[b]',
  'a{b}',
  'a\\b',
  `a'b"c`,
  'a,b;c',
  'a=b&c',
  'a_b-c~d',
  'ASBRU',
  'Grüße',
  'ε',
  '日本語',
  '🌈',
]

/** What is published arrives as it is, once, at everyone who subscribed. */
export const deliveryCases: readonly ContractCase[] = [
  ...casesOf('delivery', {
    'delivers a message to every driver that subscribed, the publisher included': async (stage) => {
      const topic = stage.topic('news')
      const drivers = [await stage.open(topic), await stage.open(topic), await stage.open(topic)]
      await drivers[0]!.driver.publish(textMessage(topic, 'hello'))
      for (const { inbox } of drivers) await inbox.untilCount(topic, 1)
      for (const each of drivers) {
        await stage.settle(each)
        expect(each.inbox.texts(topic)).toEqual(['hello'])
      }
    },

    'gives every driver every message, never a share of them': async (stage) => {
      const topic = stage.topic('news')
      const one = await stage.open(topic)
      const other = await stage.open(topic)
      const publisher = await stage.open()
      await Promise.all(
        numbers(50).map((text) => publisher.driver.publish(textMessage(topic, text))),
      )
      for (const each of [one, other]) {
        await each.inbox.untilCount(topic, 50)
        await stage.settle(each)
        expect(each.inbox.texts(topic).toSorted()).toEqual(numbers(50).toSorted())
      }
    },

    'delivers a topic to those who subscribed to exactly it': async (stage) => {
      const topic = stage.topic('pets.dogs')
      const reader = await stage.open(topic)
      for (const name of ['pets', 'pets.dogs.corgi', 'pets.dog', 'Pets.dogs', 'pets.dogs2'])
        await reader.driver.publish(textMessage(stage.topic(name), 'no'))
      await reader.driver.publish(textMessage(topic, 'yes'))
      await stage.settle(reader)
      const delivered = reader.inbox.messages.filter((message) => !message.topic.includes('fence'))
      expect(delivered.map((message) => message.topic)).toEqual([topic])
    },

    'delivers what is published once subscribe has resolved': async (stage) => {
      const publisher = await stage.open()
      const reader = await stage.open()
      for (const name of numbers(25)) {
        const topic = stage.topic(name)
        await reader.driver.subscribe(topic)
        await publisher.driver.publish(textMessage(topic, name))
      }
      for (const name of numbers(25)) await reader.inbox.untilCount(stage.topic(name), 1)
    },

    'delivers nothing of a topic once unsubscribe has resolved': async (stage) => {
      const [left, kept] = [stage.topic('left'), stage.topic('kept')]
      const reader = await stage.open(left, kept)
      await reader.driver.publish(textMessage(left, 'before'))
      await reader.inbox.untilCount(left, 1)
      await reader.driver.unsubscribe(left)
      await reader.driver.publish(textMessage(left, 'after'))
      await reader.driver.publish(textMessage(kept, 'after'))
      await reader.inbox.untilCount(kept, 1)
      await stage.settle(reader)
      expect(reader.inbox.texts(left)).toEqual(['before'])
    },

    'delivers a topic again that was unsubscribed and subscribed': async (stage) => {
      const topic = stage.topic('again')
      const reader = await stage.open(topic)
      await reader.driver.unsubscribe(topic)
      await reader.driver.subscribe(topic)
      await reader.driver.publish(textMessage(topic, 'hello'))
      await reader.inbox.untilCount(topic, 1)
      await stage.settle(reader)
      expect(reader.inbox.texts(topic)).toEqual(['hello'])
    },

    'delivers once to a driver that subscribed to the same topic twice': async (stage) => {
      const topic = stage.topic('twice')
      const reader = await stage.open(topic, topic)
      await reader.driver.publish(textMessage(topic, 'hello'))
      await stage.settle(reader)
      expect(reader.inbox.texts(topic)).toEqual(['hello'])
    },

    'takes an unsubscribe of what was never subscribed, which changes nothing': async (stage) => {
      const topic = stage.topic('kept')
      const reader = await stage.open(topic)
      await reader.driver.unsubscribe(stage.topic('never'))
      await reader.driver.publish(textMessage(topic, 'hello'))
      await reader.inbox.untilCount(topic, 1)
    },

    'keeps the unsubscribe of one driver from the others': async (stage) => {
      const topic = stage.topic('shared')
      const leaving = await stage.open(topic)
      const staying = await stage.open(topic)
      await leaving.driver.unsubscribe(topic)
      await staying.driver.publish(textMessage(topic, 'hello'))
      await staying.inbox.untilCount(topic, 1)
    },

    'delivers every byte, of none to 1 MiB': async (stage) => {
      const topic = stage.topic('bytes')
      const reader = await stage.open(topic)
      const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i)
      const payloads = [
        new Uint8Array(0),
        everyByte,
        Uint8Array.of(0),
        Uint8Array.of(0xff, 0xfe, 0xc0, 0x80),
        new TextEncoder().encode('\u{feff}{"id":1}\r\n\r\ndata: x\n'),
        new Uint8Array(randomBytes(64 * 1024 + 1)),
        new Uint8Array(randomBytes(MEBIBYTE)),
      ]
      for (const [i, payload] of payloads.entries()) {
        await reader.driver.publish({ topic, payload })
        await reader.inbox.untilCount(topic, i + 1)
      }
      const arrived = reader.inbox.messages.map((message) => Buffer.from(message.payload))
      expect(arrived.map((payload) => payload.length)).toEqual(payloads.map(({ length }) => length))
      expect(arrived.every((payload, i) => payload.equals(payloads[i]!))).toBe(true)
    },

    'delivers topics with odd characters, and of 255 bytes': async (stage) => {
      const names = [...ODD_SEGMENTS, `${ODD_SEGMENTS.join('').replaceAll(/[^a-z]/g, '')}.a.b.c`]
      const topics = names.map((name) => stage.topic(name))
      topics.push(stage.topic('x').padEnd(255, 'x'))
      const reader = await stage.open(...topics)
      const publisher = await stage.open()
      for (const topic of topics) await publisher.driver.publish(textMessage(topic, topic))
      for (const topic of topics) await reader.inbox.untilCount(topic, 1)
      await stage.settle(reader)
      for (const topic of topics) expect(reader.inbox.texts(topic)).toEqual([topic])
    },

    'delivers a reserved topic to those who subscribed to exactly it': async (stage) => {
      const topics = [CONTROL_PREFIX, 'asbru.'].map((prefix) => prefix + stage.topic('control'))
      const reader = await stage.open(...topics)
      for (const topic of topics) await reader.driver.publish(textMessage(topic, 'beat'))
      for (const topic of topics) await reader.inbox.untilCount(topic, 1)
    },

    'delivers what replicas tell each other to all of them, in order': async (stage) => {
      const topic = CONTROL_PREFIX + stage.topic('all')
      const replicas = [await stage.open(topic), await stage.open(topic)]
      for (const text of numbers(50)) await replicas[0]!.driver.publish(textMessage(topic, text))
      for (const replica of replicas) {
        await replica.inbox.untilCount(topic, 50)
        expect(inPromisedOrder(replica, replica.inbox.texts(topic))).toEqual(numbers(50))
      }
    },

    'delivers what is told to one replica to no other': async (stage) => {
      const topics = ['a', 'b'].map((name) => CONTROL_PREFIX + stage.topic(name))
      const all = CONTROL_PREFIX + stage.topic('all')
      const replicas = [await stage.open(topics[0]!, all), await stage.open(topics[1]!, all)]
      for (const [i, topic] of topics.entries())
        await replicas[1 - i]!.driver.publish(textMessage(topic, topic))
      await replicas[0]!.driver.publish(textMessage(all, 'last'))
      for (const [i, { inbox }] of replicas.entries()) {
        await inbox.untilCount(all, 1)
        await inbox.untilCount(topics[i]!, 1)
        expect(inbox.messages.map(({ topic }) => topic)).not.toContain(topics[1 - i])
      }
    },

    'carries event name and id where it has headers, and nothing in their place': async (stage) => {
      const topic = stage.topic('named')
      const reader = await stage.open(topic)
      const { headers } = reader.driver.capabilities
      const names = headers ? { event: 'Grüße, paid: 1', id: 'id-1 ü' } : {}
      await reader.driver.publish({ ...textMessage(topic, 'named'), ...names })
      await reader.driver.publish(textMessage(topic, 'plain'))
      await reader.inbox.untilCount(topic, 2)
      const [named, plain] = reader.inbox.messages
        .map(({ event, id, payload }) => ({ event, id, text: new TextDecoder().decode(payload) }))
        .toSorted((a, b) => (a.text < b.text ? -1 : 1))
      expect(named).toEqual({ event: names.event, id: names.id, text: 'named' })
      expect(plain?.event).toBeUndefined()
    },

    'keeps a payload as it was when its publisher uses the buffer again': async (stage) => {
      const topic = stage.topic('buffer')
      const reader = await stage.open(topic)
      // A Buffer, whose `slice` copies nothing.
      const buffer = Buffer.alloc(1024)
      for (const fill of [1, 2, 3]) {
        buffer.fill(fill)
        await reader.driver.publish({ topic, payload: buffer })
      }
      buffer.fill(9)
      await reader.inbox.untilCount(topic, 3)
      await stage.settle(reader)
      const fills = reader.inbox.messages
        .filter((message) => message.topic === topic)
        .map(({ payload }) => new Set(payload))
      expect(fills.map((fill) => [...fill].join()).toSorted()).toEqual(['1', '2', '3'])
    },
  }),
  ...casesOf(
    'delivery',
    {
      "relays a message of the broker's own client": async (stage) => {
        const topic = stage.topic('plain')
        const reader = await stage.open(topic)
        const { headers } = reader.driver.capabilities
        const names = headers ? { event: 'paid', id: 'id-1' } : {}
        await stage.harness.publishPlain!({ ...textMessage(topic, '{"id":1}'), ...names })
        await reader.inbox.untilCount(topic, 1)
        await stage.settle(reader)
        expect(reader.inbox.texts(topic)).toEqual(['{"id":1}'])
        expect(reader.inbox.messages[0]).toMatchObject(names)
      },
    },
    'publishPlain',
  ),
]
