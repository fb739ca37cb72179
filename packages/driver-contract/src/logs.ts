import { CONTROL_PREFIX, type DriverStatus, type IncomingMessage, type Position } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase, type ContractScript } from './contract-case.ts'
import { numbers, type OpenDriver, type Stage, textMessage } from './stage.ts'

/** Longer than any case takes. */
const BACKLOG_MS = 90_000
/** Brokers look at times in whole seconds. */
const QUIET_MS = 2_500
const SHORT_BACKLOG_MS = 1_000

type LogStatus = Extract<DriverStatus, { type: 'log' }>

/** What a driver with positions owes to those who follow its logs, wanted or not. Others have no logs. */
export const logCases: readonly ContractCase[] = casesOf(
  'resume',
  Object.fromEntries(
    Object.entries<ContractScript>({
      'hands over what nobody subscribed to': async (stage) => {
        const topic = stage.topic('unwanted')
        const reader = await stage.openWhole()
        await reader.driver.publish(textMessage(topic, 'hello'))
        await reader.inbox.untilCount(topic, 1)
        await reader.driver.subscribe(topic)
        await reader.driver.unsubscribe(topic)
        await reader.driver.publish(textMessage(topic, 'again'))
        await reader.inbox.untilCount(topic, 2)
      },

      'hands over messages to single clients as data, with a position': async (stage) => {
        const reader = await stage.openWhole()
        await reader.driver.publish(textMessage('asbru.direct', stage.topic('x')))
        await reader.inbox.until('the message', () =>
          reader.inbox.texts('asbru.direct').includes(stage.topic('x')),
        )
        for (const { position } of reader.inbox.messages) expect(position).toBeDefined()
      },

      'tells where each log begins before its first message': async (stage) => {
        const reader = await stage.openWhole()
        await publishSome(stage, reader)
        const begun = new Map<string, Position>()
        for (const item of reader.inbox.all) {
          if (isLog(item)) begun.set(item.position.log, item.position)
          else if ('payload' in item) expectBehind(item, begun)
        }
      },

      'hands over what the logs hold to one that asks for it later, at the same positions': async (
        stage,
      ) => {
        const first = await stage.openWhole()
        const topics = await publishSome(stage, first)
        const later = await stage.openWhole({ backlogMs: BACKLOG_MS })
        const own = ({ inbox }: OpenDriver): IncomingMessage[] =>
          inbox.messages.filter(({ topic }) => topics.includes(topic))
        expect(inLogs(own(later))).toEqual(inLogs(own(first)))
        await first.driver.publish(textMessage(topics[0]!, 'after'))
        for (const { inbox } of [first, later])
          await inbox.until('what came after', () => inbox.texts(topics[0]!).includes('after'))
        expect(inLogs(own(later))).toEqual(inLogs(own(first)))
        const begun = new Map(
          later.inbox.statuses.filter(isLog).map(({ position }) => [position.log, position]),
        )
        for (const message of own(first)) expectBehind(message, begun)
      },

      'begins behind what is older than it was asked for, as if nothing was missing': async (
        stage,
      ) => {
        const first = await stage.openWhole()
        const topics = await publishSome(stage, first)
        await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
        for (const backlogMs of [0, SHORT_BACKLOG_MS]) {
          const { inbox } = await stage.openWhole({ backlogMs })
          expect(inbox.messages.filter(({ topic }) => topics.includes(topic))).toEqual([])
          const begun = inbox.statuses.filter(isLog).map(({ position }) => position)
          for (const [log, messages] of Object.entries(inLogs(first.inbox.messages))) {
            const { epoch, offset } = messages.at(-1)!.position!
            const begin = begun.find((each) => each.log === log)
            expect(begin?.epoch).toBe(epoch)
            expect(typeof begin?.offset).toBe(typeof offset)
            expect(begin!.offset >= offset).toBe(true)
          }
        }
      },

      'has caught up once all is handed over that was published before': async (stage) => {
        const publisher = await stage.open()
        const reader = await stage.openWhole()
        const topics = numbers(5).map((name) => stage.topic(name))
        for (const text of numbers(10)) {
          await Promise.all(
            topics.map((topic) => publisher.driver.publish(textMessage(topic, text))),
          )
          await Promise.all([reader.driver.catchUp!(), reader.driver.catchUp!()])
          for (const topic of topics) expect(reader.inbox.texts(topic).at(-1)).toBe(text)
        }
      },

      'carries what replicas tell each other beside its logs': async (stage) => {
        const topic = CONTROL_PREFIX + stage.topic('all')
        const data = stage.topic('data')
        const told = await stage.openWhole()
        const untold = await stage.openWhole()
        await told.driver.subscribe(topic)
        for (const text of numbers(3)) await untold.driver.publish(textMessage(topic, text))
        await told.inbox.untilCount(topic, 3)
        await untold.driver.publish(textMessage(data, 'hello'))
        await untold.inbox.untilCount(data, 1)
        const later = await stage.openWhole({ backlogMs: BACKLOG_MS })
        await later.driver.subscribe(topic)
        await untold.driver.publish(textMessage(topic, 'last'))
        for (const { inbox } of [told, later])
          await inbox.until('the last', () => inbox.texts(topic).includes('last'))
        expect(told.inbox.texts(topic)).toEqual([...numbers(3), 'last'])
        expect(later.inbox.texts(topic)).toEqual(['last'])
        expect(untold.inbox.texts(topic)).toEqual([])
        expect(later.inbox.texts(data)).toEqual(['hello'])
        const positions = told.inbox.messages.filter((message) => message.topic === topic)
        expect(positions.filter(({ position }) => position !== undefined)).toEqual([])
      },
    }).map(([title, script]): [string, ContractScript] => [title, ifItHasLogs(script)]),
  ),
)

function ifItHasLogs(script: ContractScript): ContractScript {
  return async (stage) => {
    if ((await stage.create()).capabilities.positions) await script(stage)
  }
}

/** Publishes some messages on topics of their own, and waits until they are there. */
async function publishSome(stage: Stage, { driver, inbox }: OpenDriver): Promise<string[]> {
  const topics = numbers(5).map((name) => stage.topic(`some-${name}`))
  for (const text of numbers(4))
    for (const topic of topics) await driver.publish(textMessage(topic, text))
  for (const topic of topics) await inbox.untilCount(topic, 4)
  return topics
}

/** By log, in the order in which they came. */
function inLogs(messages: readonly IncomingMessage[]): Record<string, IncomingMessage[]> {
  const logs: Record<string, IncomingMessage[]> = {}
  for (const message of messages) (logs[message.position!.log] ??= []).push(message)
  return logs
}

function isLog(item: IncomingMessage | DriverStatus): item is LogStatus {
  return 'type' in item && item.type === 'log'
}

/** Expects the message to be behind the beginning of its log as far as that was told. */
function expectBehind({ position }: IncomingMessage, begun: ReadonlyMap<string, Position>): void {
  const begin = begun.get(position!.log)
  expect(begin?.epoch).toBe(position!.epoch)
  expect(typeof begin?.offset).toBe(typeof position!.offset)
  expect(position!.offset > begin!.offset).toBe(true)
}
