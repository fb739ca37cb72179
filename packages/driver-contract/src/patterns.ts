import { type Driver, matches } from '@asbru/core'
import { expect } from 'vitest'
import { casesOf, type ContractCase } from './contract-case.ts'
import { numbers, type OpenDriver, type Stage, textMessage } from './stage.ts'

/** How often subscriptions change in the cases of churn. */
const CHANGES = 60

/** Patterns, and messages that several subscriptions match. */
export const patternCases: readonly ContractCase[] = casesOf('delivery', {
  'refuses a pattern if it has none, and delivers by it if it has': async (stage) => {
    const { driver, inbox } = await stage.open()
    const subscribed = driver.subscribe(stage.topic('pets.*'))
    if (!driver.capabilities.patterns) {
      await expect(subscribed).rejects.toBeInstanceOf(Error)
      return
    }
    await subscribed
    await driver.publish(textMessage(stage.topic('pets.dogs'), 'woof'))
    await inbox.untilCount(stage.topic('pets.dogs'), 1)
  },

  'delivers by `*` what has exactly one segment there': async (stage) => {
    const published = ['pets', 'pets.dogs', 'pets.cats', 'pets.dogs.corgi', 'petstore', 'cars.dogs']
    expect(await delivered(stage, ['pets.*'], published)).toEqual(['pets.cats', 'pets.dogs'])
    const middle = ['x.pets.a', 'x.pets.b', 'x.pets', 'x.cars.a', 'x.pets.a.b']
    expect(await delivered(stage, ['x.*.a'], middle)).toEqual(['x.cars.a', 'x.pets.a'])
  },

  'delivers by `**` what has any number of segments there, none included': async (stage) => {
    const published = ['pets', 'pets.dogs', 'pets.dogs.corgi', 'petstore', 'cars', 'cars.pets']
    expect(await delivered(stage, ['pets.**'], published)).toEqual([
      'pets',
      'pets.dogs',
      'pets.dogs.corgi',
    ])
  },

  'takes odd characters in a pattern for themselves': async (stage) => {
    const published = ['a[b].x', 'ab.x', 'a?c.x', 'abc.x', 'a$.x', 'a\\b.x', '日本.x']
    const patterns = ['a[b].*', 'a?c.*', 'a$.*', 'a\\b.*', '日本.*']
    expect(await delivered(stage, patterns, published)).toEqual(
      ['a[b].x', 'a?c.x', 'a$.x', 'a\\b.x', '日本.x'].toSorted(),
    )
  },

  'never delivers a reserved topic by a pattern': async (stage) => {
    const reader = await stage.open()
    if (!hasPatterns(reader)) return
    for (const pattern of ['**', '*.**', `*.${stage.topic('**')}`])
      await reader.driver.subscribe(pattern)
    const reserved = [`asbru.${stage.topic('x')}`, `_x.${stage.topic('x')}`]
    const plain = `x.${stage.topic('x')}`
    for (const topic of [...reserved, plain]) await reader.driver.publish(textMessage(topic, 'x'))
    await reader.inbox.untilCount(plain, 1)
    await stage.settle(reader)
    for (const topic of reserved) expect(reader.inbox.texts(topic)).toEqual([])
  },

  'delivers a message once, however many subscriptions match it': async (stage) => {
    const reader = await stage.open()
    const topic = stage.topic('pets.dogs')
    const patterns = ['pets.*', 'pets.**', '*.dogs', '**'].map((name) => stage.topic(name))
    for (const each of hasPatterns(reader) ? [topic, ...patterns] : [topic, topic])
      await reader.driver.subscribe(each)
    for (const text of numbers(20)) await reader.driver.publish(textMessage(topic, text))
    await stage.settle(reader)
    expect(reader.inbox.texts(topic).toSorted()).toEqual(numbers(20).toSorted())
  },

  'goes on delivering by the other subscriptions when one of them goes': async (stage) => {
    const reader = await stage.open()
    if (!hasPatterns(reader)) return
    const topic = stage.topic('pets.dogs')
    const held = [topic, stage.topic('pets.*'), stage.topic('pets.**')]
    for (const each of held) await reader.driver.subscribe(each)
    for (const [gone, each] of held.entries()) {
      await reader.driver.publish(textMessage(topic, String(gone)))
      await reader.inbox.untilCount(topic, gone + 1)
      await reader.driver.unsubscribe(each)
    }
    await reader.driver.publish(textMessage(topic, 'after'))
    await stage.settle(reader)
    expect(reader.inbox.texts(topic)).toEqual(['0', '1', '2'])
  },

  'delivers every message once while overlapping subscriptions come and go': async (stage) => {
    const topic = stage.topic('pets.dogs')
    const reader = await stage.open(topic)
    const other = hasPatterns(reader) ? stage.topic('pets.*') : stage.topic('pets.cats')
    const publisher = await stage.open()
    const churn = churnOf(reader.driver, topic, other)
    const sent: string[] = []
    while (!churn.over) {
      sent.push(String(sent.length))
      await publisher.driver.publish(textMessage(topic, sent.at(-1)!))
    }
    await churn.done
    await reader.inbox.untilCount(topic, sent.length)
    await stage.settle(reader)
    expect(reader.inbox.texts(topic).map(Number).toSorted(ascending)).toEqual(sent.map(Number))
  },
})

/** Which of the topics `published` arrive by `patterns`, sorted. */
async function delivered(
  stage: Stage,
  patterns: readonly string[],
  published: readonly string[],
): Promise<string[]> {
  const reader = await stage.open()
  // To a driver without patterns, exact subscriptions stand in for them: its topics must not mix either.
  const wanted = hasPatterns(reader)
    ? patterns
    : published.filter((topic) => patterns.some((pattern) => matches(pattern, topic)))
  for (const pattern of wanted) await reader.driver.subscribe(stage.topic(pattern))
  for (const topic of published)
    await reader.driver.publish(textMessage(stage.topic(topic), 'hello'))
  await stage.settle(reader)
  return published
    .flatMap((topic) => reader.inbox.texts(stage.topic(topic)).map(() => topic))
    .toSorted()
}

/** Changes subscriptions so that at least one of them matches `topic` at any time. */
function churnOf(
  driver: Driver,
  topic: string,
  overlapping: string,
): { readonly over: boolean; readonly done: Promise<void> } {
  const churn = { over: false, done: run() }
  return churn

  async function run(): Promise<void> {
    try {
      for (let i = 0; i < CHANGES; i++) {
        await driver.subscribe(overlapping)
        if (driver.capabilities.patterns) {
          await driver.unsubscribe(topic)
          await driver.subscribe(topic)
        }
        await driver.unsubscribe(overlapping)
      }
    } finally {
      churn.over = true
    }
  }
}

function hasPatterns({ driver }: OpenDriver): boolean {
  return driver.capabilities.patterns
}

function ascending(a: number, b: number): number {
  return a - b
}
