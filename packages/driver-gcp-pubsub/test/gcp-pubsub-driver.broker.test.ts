import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'
import { PubSub } from '@google-cloud/pubsub'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bytes, openOptions, Recorder, textOf } from '@asbru/trials'
import { Janitor, SILENT_SWEEPS } from '../src/janitor.ts'
import { pubsubUnderTest } from './support/pubsub-under-test.ts'
import { reader } from './support/reader.ts'

const pubsub = await pubsubUnderTest()
const { broker, connection, plain, proxy } = pubsub

describe('what a replica makes', () => {
  test('is a subscription of its own, with order, labels and an end, gone after close', async () => {
    const { driver, subscription } = await reader({ connection })
    const [metadata] = await plain.subscription(subscription).getMetadata()
    expect(metadata).toMatchObject({
      topic: 'projects/test/topics/asbru',
      enableMessageOrdering: true,
      messageRetentionDuration: { seconds: '3600' },
      expirationPolicy: { ttl: { seconds: '86400' } },
      labels: { 'asbru-namespace': 'test', 'asbru-alive': expect.stringMatching(/^\d+$/) },
    })
    await driver.close()
    expect(await pubsub.subscriptions()).not.toContain(subscription)
  })

  test('is no topic with `create: false`: the start fails at once with the error of the client', async () => {
    const topic = 'absent'
    const driver = gcpPubsubDriver({ connection, topic, create: false, startTimeoutMs: 0 })
    const opening = driver.open(new Recorder(), openOptions())
    await expect(opening).rejects.toMatchObject({ code: 5 })
    await driver.close()
    const [topics] = await plain.getTopics()
    expect(topics.map(({ name }) => name)).not.toContain('projects/test/topics/absent')
  })

  test('is left behind by a kill, and removed by the janitor of any other, and nothing else is', async () => {
    const script = fileURLToPath(new URL('support/open-driver.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=@asbru/source', script, broker.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'close')
    const living = await reader({ connection })
    await plain.topic('asbru').createSubscription('of-another-program')
    const before = await pubsub.subscriptions()
    expect(before).toContain('asbru-test-killed')

    const janitor = new Janitor({
      namespace: 'test',
      async list() {
        const [all] = await plain.getSubscriptions()
        return all.map(({ name, metadata }) => ({ name, labels: metadata?.labels ?? {} }))
      },
      remove: async (name) => void (await plain.subscription(name).delete()),
    })
    for (let sweep = 0; sweep <= SILENT_SWEEPS; sweep++) {
      await plain
        .subscription(living.subscription)
        .setMetadata({ labels: { 'asbru-namespace': 'test', 'asbru-alive': String(sweep) } })
      await janitor.sweep()
    }
    expect(await pubsub.subscriptions()).toEqual(
      before.filter((name) => name !== 'asbru-test-killed'),
    )
  })
})

describe('a subscription that is deleted under its replica', () => {
  test('is made again, with a gap before what came since', async () => {
    const { driver, inbox, subscription } = await reader({ connection }, 'news')
    await driver.publish({ topic: 'news', payload: bytes('before') })
    await inbox.until(() => inbox.texts.includes('before'))
    await plain.subscription(subscription).delete()
    await inbox.until(() => inbox.types.at(-1) === 'connected' && inbox.types.length > 1)
    await driver.publish({ topic: 'news', payload: bytes('after') })
    await inbox.until(() => inbox.texts.includes('after'))
    expect(inbox.all).toEqual([
      'connected',
      'before',
      'reconnecting',
      'gap messages-dropped',
      'connected',
      'after',
    ])
    expect(await pubsub.subscriptions()).toContain(subscription)
  })

  test('is made again however often it happens', async () => {
    const { driver, inbox, subscription } = await reader({ connection }, 'news')
    for (let round = 1; round <= 5; round++) {
      await plain.subscription(subscription).delete()
      await inbox.until(() => inbox.types.filter((type) => type === 'connected').length > round)
    }
    await driver.publish({ topic: 'news', payload: bytes('after') })
    await inbox.until(() => inbox.texts.includes('after'))
    expect(inbox.gaps).toHaveLength(5)
    expect(inbox.texts).toEqual(['after'])
  })

  test('is made again with its topic, when that is deleted', async () => {
    const topic = 'deleted'
    const { driver, inbox } = await reader({ connection, topic }, 'news')
    await plain.topic(topic).delete()
    await expect(
      driver.publish({ topic: 'news', payload: bytes('refused') }),
    ).rejects.toMatchObject({ code: 5 })
    await inbox.until(() => inbox.types.at(-1) === 'connected' && inbox.types.length > 1)
    await driver.publish({ topic: 'news', payload: bytes('after') })
    await inbox.until(() => inbox.texts.includes('after'))
    expect(inbox.all).toEqual([
      'connected',
      'reconnecting',
      'gap messages-dropped',
      'connected',
      'after',
    ])
  })
})

test('a message that Pub/Sub delivers again is handed over once', async () => {
  // A topic of its own: a seek brings back all that it ever carried.
  const { driver, inbox, subscription } = await reader({ connection, topic: 'again' }, 'news')
  for (const text of ['1', '2', '3']) await driver.publish({ topic: 'news', payload: bytes(text) })
  await inbox.until(() => inbox.messages.length === 3)
  await plain.subscription(subscription).seek(new Date(Date.now() - 60_000))
  await driver.publish({ topic: 'news', payload: bytes('4') })
  await inbox.until(() => inbox.texts.includes('4'))
  // Another one behind whatever the seek brought back.
  await driver.publish({ topic: 'news', payload: bytes('5') })
  await inbox.until(() => inbox.texts.includes('5'))
  expect(inbox.texts).toEqual(['1', '2', '3', '4', '5'])
})

test('a topic whose publish failed takes the next one', async () => {
  const { driver, inbox } = await reader({ connection }, 'news')
  proxy.cut()
  const failing = ['1', '2', '3'].map((text) =>
    driver.publish({ topic: 'news', payload: bytes(text) }),
  )
  const answers = await Promise.allSettled(failing)
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  proxy.resume()
  await inbox.until(() => inbox.types.at(-1) === 'connected' && inbox.types.length > 1)
  await driver.publish({ topic: 'news', payload: bytes('4') })
  await inbox.until(() => inbox.texts.includes('4'))
  expect(inbox.texts).toEqual(['4'])
})

test('an event name that no attribute can hold is refused', async () => {
  const { driver } = await reader({ connection })
  const event = 'x'.repeat(1_025)
  const publishing = driver.publish({ topic: 'news', payload: bytes(''), event })
  await expect(publishing).rejects.toBeInstanceOf(RangeError)
})

test('a plain message without a topic is passed over, or has the Pub/Sub topic for its own', async () => {
  const one = await reader({ connection, topic: 'invoices' }, 'invoices', 'news')
  const other = await reader(
    { connection, topic: 'invoices', topicFrom: 'pubsub-topic' },
    'invoices',
    'news',
  )
  const topic = plain.topic('invoices')
  await topic.publishMessage({ data: Buffer.from('plain') })
  await topic.publishMessage({ data: Buffer.from('named'), attributes: { 'asbru-topic': 'news' } })
  for (const { driver, inbox } of [one, other]) {
    await inbox.until(() => inbox.texts.includes('named'))
    await driver.publish({ topic: 'news', payload: bytes('last') })
  }
  await other.inbox.until(() => other.inbox.messages.length === 4)
  await one.inbox.until(() => one.inbox.messages.length === 3)
  expect(one.inbox.messages.map((message) => message.topic)).toEqual(['news', 'news', 'news'])
  const own = other.inbox.messages.filter((message) => message.topic === 'invoices')
  expect(own.map(textOf)).toEqual(['plain'])
})

test('a client of the user is left open', async () => {
  const client = new PubSub({ projectId: 'test', apiEndpoint: broker.url })
  onTestFinished(() => client.close())
  const { driver, inbox, subscription } = await reader({ client }, 'news')
  await driver.publish({ topic: 'news', payload: bytes('hello') })
  await inbox.until(() => inbox.texts.includes('hello'))
  await driver.close()
  expect(inbox.types).toEqual(['connected', 'closed'])
  const [all] = await client.getSubscriptions()
  expect(all.map(({ name }) => name)).not.toContain(`projects/test/subscriptions/${subscription}`)
})

test('a small payload does not keep the chunk of the network that it came in', async () => {
  const { driver, inbox } = await reader({ connection }, 'small')
  for (let i = 0; i < 20; i++) await driver.publish({ topic: 'small', payload: bytes('small') })
  await inbox.until(() => inbox.messages.length === 20)
  for (const { payload } of inbox.messages) expect(payload.buffer.byteLength).toBeLessThan(256)
})
