import { contractCases, describeDriver, type DriverHarness } from '@asbru/driver-contract'
import { describe, expect, test } from 'vitest'
import { type Fault, harnessWith, type LogFault } from './support/faulty-driver.ts'

/** For each fault, the beginning of a title of a case that must find it. */
const foundBy: Readonly<Record<Exclude<Fault, LogFault>, string>> = {
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
  'delivers after close': 'hands over nothing after close',
  'opens after close': 'does not open once it was closed',
  'publishes after close': 'refuses publish after close',
  'does not say that it is connected': 'says that it is connected',
  'accepts messages while broken': 'refuses to publish while',
  'forgets subscriptions when it reconnects': 'restores all subscriptions',
  'hides gaps': 'delivers what it missed, or tells a gap',
  'tells gaps too late': 'delivers what it missed, or tells a gap',
}

/** The same for drivers with positions. */
const foundInLogsBy: Readonly<Record<LogFault, string>> = {
  'counts positions for itself': 'gives every message a position',
  'repeats positions': 'gives every message a position',
  'hands over only what was subscribed to': 'hands over what nobody subscribed to',
  'keeps messages to single clients out of its log': 'hands over messages to single clients',
  'does not say where its log begins': 'tells where each log begins',
  'forgets what its log holds': 'hands over what the logs hold',
  'says that its log begins at the first message': 'begins behind what is older',
  'has caught up too soon': 'has caught up once all',
  'keeps control messages in its log': 'carries what replicas tell each other beside',
  'hands control messages to everybody': 'carries what replicas tell each other beside',
}

describe('the contract', () => {
  test.each(Object.entries(foundBy) as [Fault, string][])(
    'finds a driver that %s',
    (fault, title) => expectFound(title, harnessWith(fault)),
  )

  test.each(Object.entries(foundInLogsBy) as [Fault, string][])(
    'finds a driver with a log that %s',
    (fault, title) => expectFound(title, harnessWith(fault, true)),
  )

  test('names every case once', () => {
    const titles = contractCases.map(({ group, title }) => `${group} ${title}`)
    expect(new Set(titles).size).toBe(titles.length)
  })
})

for (const hasLog of [false, true]) describeDriver(harnessWith(undefined, hasLog))

async function expectFound(title: string, harness: DriverHarness): Promise<void> {
  const contractCase = contractCases.find((each) => each.title.startsWith(title))
  await expect(contractCase!.run(harness)).rejects.toBeInstanceOf(Error)
}
