import { contractCases, describeDriver } from '@asbru/driver-contract'
import { describe, expect, test } from 'vitest'
import { type Fault, harnessWith } from './support/faulty-driver.ts'

/** For each fault, the beginning of a title of a case that must find it. */
const foundBy: Readonly<Record<Fault, string>> = {
  'delivers once for each subscription': 'delivers a message once, however many',
  'loses every 100th message': 'delivers thousands of messages',
  'swaps neighbours': "keeps one publisher's order",
  'keeps what it publishes from itself': 'delivers a message to every driver',
  'shares the messages between drivers': 'gives every driver every message',
  'keeps the buffer of the publisher': 'keeps a payload as it was',
  'ignores unsubscribe': 'delivers nothing of a topic once unsubscribe',
  'subscribes later than it says': 'delivers what is published once subscribe',
  'mixes up upper and lower case': 'delivers a topic to those who subscribed to exactly it',
  'takes reserved topics for others': 'never delivers a reserved topic',
  'reads `**` as one segment or more': 'delivers by `**`',
  'makes text of bytes': 'delivers every byte',
  'forgets event names': 'carries event name and id',
  'counts positions for itself': 'gives every message a position',
  'repeats positions': 'gives every message a position',
  'delivers after close': 'hands over nothing after close',
  'opens after close': 'does not open once it was closed',
  'publishes after close': 'refuses publish after close',
  'does not say that it is connected': 'says that it is connected',
  'accepts messages while broken': 'refuses to publish while',
  'forgets subscriptions when it reconnects': 'restores all subscriptions',
  'hides gaps': 'delivers what it missed, or tells a gap',
  'tells gaps too late': 'delivers what it missed, or tells a gap',
}

describe('the contract', () => {
  test.each(Object.entries(foundBy) as [Fault, string][])(
    'finds a driver that %s',
    async (fault, title) => {
      const contractCase = contractCases.find((each) => each.title.startsWith(title))
      await expect(contractCase!.run(harnessWith(fault))).rejects.toBeInstanceOf(Error)
    },
  )

  test('names every case once', () => {
    const titles = contractCases.map(({ group, title }) => `${group} ${title}`)
    expect(new Set(titles).size).toBe(titles.length)
  })
})

describeDriver(harnessWith(undefined))
