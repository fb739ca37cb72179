import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { BrokerSubscriptions } from '../src/broker/broker-subscriptions.ts'
import { silentLogger } from '../src/logger.ts'
import { deferred } from './support/deferred.ts'
import { ManualClock } from './support/manual-clock.ts'
import { scriptedDriver } from './support/scripted-driver.ts'

const LINGER_MS = 100

test('tells that a topic was refused before, once it is delivered', async () => {
  const { broker, driver, clock, told } = newSubscriptions()
  driver.failing.add('subscribe news')
  broker.retain('news')
  await setImmediate()
  driver.failing.clear()
  clock.advance(1_000)
  await setImmediate()
  expect(told).toEqual(['asked news', 'established news again'])
})

test('tells nothing more of a topic that was left before the driver answered', async () => {
  const { broker, driver, clock, told } = newSubscriptions()
  const answer = deferred()
  driver.held.set('subscribe news', answer.promise)
  broker.retain('news')
  broker.release('news')
  clock.advance(LINGER_MS)
  broker.retain('news')
  answer.resolve()
  await setImmediate()
  expect(driver.calls).toEqual(['subscribe news', 'unsubscribe news', 'subscribe news'])
  expect(told).toEqual(['asked news', 'released news', 'asked news', 'established news'])
})

test('tells of a topic that was lost and left, and is wanted anew, as of any other', async () => {
  const { broker, clock, told } = newSubscriptions()
  broker.retain('news')
  await setImmediate()
  broker.lost('news')
  broker.release('news')
  clock.advance(LINGER_MS)
  broker.retain('news')
  await setImmediate()
  const once = ['asked news', 'established news']
  expect(told).toEqual([...once, 'released news', ...once])
})

function newSubscriptions() {
  const driver = scriptedDriver()
  const clock = new ManualClock()
  const told: string[] = []
  const broker = new BrokerSubscriptions({
    driver,
    clock,
    logger: silentLogger,
    lingerMs: LINGER_MS,
    onAsked: (topic) => told.push(`asked ${topic}`),
    onEstablished: (topic, again) => told.push(`established ${topic}${again ? ' again' : ''}`),
    onReleased: (topic) => told.push(`released ${topic}`),
  })
  return { broker, driver, clock, told }
}
