import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Broker, startBroker, startProxy, type TcpProxy } from '@asbru/brokers'
import type { Driver, OpenOptions } from '@asbru/core'
import { natsDriver, type NatsDriverOptions } from '@asbru/driver-nats'
import {
  AckPolicy,
  connect,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { bytes, openOptions, Recorder } from '@asbru/trials'

let broker: Broker
let manager: JetStreamManager
let publish: (subject: string, text: string) => Promise<void>
let proxy: TcpProxy
let stream: string
let count = 0

beforeAll(async () => {
  broker = await startBroker('nats')
  proxy = await startProxy(broker)
  const connection = await connect({ servers: broker.url })
  manager = await connection.jetstreamManager()
  const jetstream = connection.jetstream()
  publish = async (subject, text) => void (await jetstream.publish(subject, bytes(text)))
})

afterAll(async () => {
  await proxy.stop()
  await broker.stop()
})

beforeEach(() => {
  stream = `S${++count}`
})

describe('a stream that is not there', () => {
  test('is made for all topics behind the prefix, with bounds', async () => {
    await reader()
    expect((await manager.streams.info(stream)).config).toMatchObject({
      subjects: [`${stream}.>`],
      retention: 'limits',
      discard: 'old',
      storage: 'file',
      max_age: 3_600_000 * 1_000_000,
      max_bytes: 268_435_456,
      num_replicas: 1,
    })
  })

  test('is made with the bounds that were asked for', async () => {
    await reader({ jetstream: { stream, maxAgeMs: 60_000, maxBytes: 10_000_000 } })
    expect((await manager.streams.info(stream)).config).toMatchObject({
      max_age: 60_000 * 1_000_000,
      max_bytes: 10_000_000,
    })
  })

  test('is made once by drivers that start together', async () => {
    const inboxes = await Promise.all([reader(), reader(), reader()])
    for (const { inbox } of inboxes) expect(inbox.types).toEqual(['connected'])
  })

  test('stops the start at once with `create: false`', async () => {
    const driver = driverOf({ create: false, startTimeoutMs: 0 })
    await expect(driver.open(new Recorder(), openOptions())).rejects.toThrow('stream not found')
  })
})

describe('a stream that is there', () => {
  const unfit: Record<string, [Partial<StreamConfig>, string]> = {
    'drops what one reader has read': [
      { retention: RetentionPolicy.Interest },
      'retention interest',
    ],
    'gives each message to one reader': [
      { retention: RetentionPolicy.Workqueue },
      'retention workqueue',
    ],
    'acknowledges nothing': [{ no_ack: true }, 'no_ack'],
    'captures other subjects': [{ subjects: ['elsewhere.>'] }, 'no subject within'],
  }

  test.each(Object.entries(unfit))('stops the start if it %s', async (_, [config, reason]) => {
    await manager.streams.add({ subjects: [`${stream}.>`], ...config, name: stream })
    onTestFinished(async () => void (await manager.streams.delete(stream)))
    const driver = driverOf({ startTimeoutMs: 0 })
    await expect(driver.open(new Recorder(), openOptions())).rejects.toThrow(reason)
  })

  test('is used as it is', async () => {
    const config = { name: stream, subjects: [`${stream}.>`], storage: StorageType.Memory }
    const before = (await manager.streams.add({ ...config, max_msgs: 1_000 })).config
    const { driver, inbox } = await reader()
    await driver.publish({ topic: 'news', payload: bytes('hello') })
    await inbox.until(() => inbox.texts.includes('hello'))
    expect((await manager.streams.info(stream)).config).toEqual(before)
  })

  test('may be shared with subjects that are none of ours, which nobody gets', async () => {
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`, `other${count}.>`] })
    const { driver, inbox } = await reader()
    await driver.subscribe('**')
    await publish(`other${count}.news`, 'foreign')
    await publish(`${stream}.news`, 'one')
    await publish(`other${count}.news`, 'foreign')
    await publish(`${stream}.news`, 'two')
    await inbox.until(() => inbox.messages.length === 2)
    expect(inbox.texts).toEqual(['one', 'two'])
    expect(inbox.gaps).toEqual([])
  })

  test('refuses topics that it does not capture', async () => {
    await manager.streams.add({ name: stream, subjects: [`${stream}.orders.*`] })
    const { driver } = await reader()
    await driver.subscribe('orders.1')
    await driver.subscribe('**')
    for (const topic of ['invoices', 'orders', 'orders.1.2', 'invoices.**'])
      await expect(driver.subscribe(topic)).rejects.toThrow(`no subject for ${stream}.${topic}`)
    await expect(driver.publish({ topic: 'invoices', payload: bytes('') })).rejects.toThrow(
      'no subject',
    )
  })
})

describe('a reader of a stream', () => {
  test('gets what a plain publisher sends, by core subjects too, with an id for deduplication', async () => {
    const { inbox } = await reader()
    const plain = await connect({ servers: broker.url })
    onTestFinished(() => plain.close())
    plain.publish(`${stream}.news`, bytes('plain'))
    await plain.jetstream().publish(`${stream}.news`, bytes('named'), { msgID: 'id-1' })
    await plain.jetstream().publish(`${stream}.news`, bytes('named'), { msgID: 'id-1' })
    await publish(`${stream}.news`, 'last')
    await inbox.until(() => inbox.texts.includes('last'))
    expect(inbox.messages.map(({ id }) => id)).toEqual([undefined, 'id-1', undefined])
  })

  test('goes on behind its last message after a break, and repeats none', async () => {
    const { inbox } = await reader()
    await publish(`${stream}.news`, '1')
    await inbox.until(() => inbox.texts.includes('1'))
    await whileCut(inbox, async () => {
      for (const text of ['2', '3']) await publish(`${stream}.news`, text)
    })
    await publish(`${stream}.news`, '4')
    await inbox.until(() => inbox.texts.includes('4'))
    expect(inbox.texts).toEqual(['1', '2', '3', '4'])
    expect(inbox.messages.map(({ position }) => position?.offset)).toEqual([1, 2, 3, 4])
    expect(inbox.gaps).toEqual([])
  })

  test('tells no gap when only what it had read was trimmed meanwhile', async () => {
    const { inbox } = await reader()
    await publish(`${stream}.news`, '1')
    await inbox.until(() => inbox.texts.includes('1'))
    await whileCut(inbox, async () => void (await manager.streams.purge(stream)))
    await publish(`${stream}.news`, '2')
    await inbox.until(() => inbox.texts.includes('2'))
    expect(inbox.gaps).toEqual([])
  })

  test('tells that the log was trimmed before it hands over what is left', async () => {
    const { inbox } = await reader()
    await whileCut(inbox, async () => {
      for (const text of ['1', '2', '3']) await publish(`${stream}.news`, text)
      await manager.streams.purge(stream, { seq: 3 })
    })
    await inbox.until(() => inbox.texts.includes('3'))
    expect(inbox.texts).toEqual(['3'])
    expect(gapsAndTexts(inbox)).toEqual(['gap log-trimmed', '3'])
    expect(inbox.begins).toEqual([0, 2])
  })

  test('tells that the log was trimmed within, at the place', async () => {
    const { inbox } = await reader()
    await whileCut(inbox, async () => {
      for (const text of ['1', '2', '3']) await publish(`${stream}.news`, text)
      await manager.streams.deleteMessage(stream, 2)
    })
    await inbox.until(() => inbox.texts.includes('3'))
    expect(gapsAndTexts(inbox)).toEqual(['1', 'gap log-trimmed', '3'])
    expect(inbox.begins).toEqual([0, 2])
  })

  test('tells that the log changed when the stream was made anew while it was away', async () => {
    const { inbox } = await reader()
    await publish(`${stream}.news`, '1')
    await inbox.until(() => inbox.texts.includes('1'))
    await whileCut(inbox, async () => {
      const { config } = await manager.streams.info(stream)
      await manager.streams.delete(stream)
      await manager.streams.add(config)
      for (const text of ['new 1', 'new 2']) await publish(`${stream}.news`, text)
    })
    await inbox.until(() => inbox.texts.includes('new 2'))
    expect(inbox.gaps).toEqual(['log-changed'])
    expect(inbox.texts).toEqual(['1', 'new 1', 'new 2'])
    expect(inbox.begins).toEqual([0, 0])
    const epochs = inbox.messages.map(({ position }) => position?.epoch)
    expect(epochs[1]).not.toBe(epochs[0])
    expect(epochs[2]).toBe(epochs[1])
  })

  test('makes the stream anew when it is deleted under it, and says that the log changed', async () => {
    const { driver, inbox } = await reader()
    await driver.publish({ topic: 'news', payload: bytes('1') })
    await manager.streams.delete(stream)
    await inbox.until(() => inbox.gaps.includes('log-changed'))
    await driver.publish({ topic: 'news', payload: bytes('2') })
    await inbox.until(() => inbox.texts.includes('2'))
    expect(inbox.texts).toEqual(['1', '2'])
    expect(inbox.gaps).toEqual(['log-changed'])
  })

  test('says that it reconnects while a stream that it must not make is away', async () => {
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
    const { driver, inbox } = await reader({ create: false })
    await manager.streams.delete(stream)
    await inbox.until(() => inbox.types.includes('reconnecting'))
    await expect(driver.publish({ topic: 'news', payload: bytes('1') })).rejects.toBeInstanceOf(
      Error,
    )
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
    await inbox.until(() => inbox.types.at(-1) === 'connected')
    expect(inbox.gaps).toEqual(['log-changed'])
  })

  test('makes its consumer anew when that is deleted under it, and loses nothing', async () => {
    const { inbox } = await reader()
    await publish(`${stream}.news`, '1')
    const [consumer] = await manager.consumers.list(stream).next()
    await manager.consumers.delete(stream, consumer!.name)
    await publish(`${stream}.news`, '2')
    await inbox.until(() => inbox.texts.includes('2'))
    expect(inbox.types).toEqual(['connected'])
    expect(inbox.texts).toEqual(['1', '2'])
  })

  test('shows the positions that another one shows, also after a restart of the broker', async () => {
    const restarted = await startBroker('nats')
    onTestFinished(() => restarted.stop())
    const options = { connection: { servers: restarted.url } }
    const one = await reader(options)
    await one.driver.publish({ topic: 'news', payload: bytes('1') })
    await one.inbox.until(() => one.inbox.texts.includes('1'))
    await restarted.kill()
    await one.inbox.until(() => one.inbox.types.includes('reconnecting'))
    await restarted.start()
    await one.inbox.until(() => one.inbox.types.at(-1) === 'connected')
    const other = await reader(options)
    await other.driver.publish({ topic: 'news', payload: bytes('2') })
    for (const { inbox } of [one, other]) await inbox.until(() => inbox.texts.includes('2'))
    const [first, second] = one.inbox.messages.map(({ position }) => position!)
    expect(other.inbox.messages.map(({ position }) => position)).toEqual([second])
    expect(first!.epoch).toBe(second!.epoch)
  })

  test('begins with what is younger than its backlog, behind the last message that is older', async () => {
    const writer = await reader()
    for (const text of ['1', '2']) await publish(`${stream}.news`, text)
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const none = await reader({}, { backlogMs: 1_000 })
    expect([none.inbox.texts, none.inbox.begins]).toEqual([[], [2]])
    for (const text of ['3', '4']) await publish(`${stream}.news`, text)
    const some = new Recorder()
    await driverOf({}).open(some, { ...openOptions(), backlogMs: 1_000 })
    expect([some.texts, some.begins]).toEqual([['3', '4'], [2]])
    expect(some.messages).toEqual(writer.inbox.messages.slice(2))
  })

  test('begins behind the last message that is ours in a stream with others', async () => {
    await manager.streams.add({ name: stream, subjects: [`${stream}.>`, `other${count}.>`] })
    await publish(`other${count}.news`, 'foreign')
    const early = await reader()
    await publish(`${stream}.news`, 'ours')
    for (const text of ['2', '3']) await publish(`other${count}.news`, text)
    const late = await reader()
    expect([early.inbox.begins, late.inbox.begins]).toEqual([[0], [2]])
    await Promise.all([early.driver.catchUp!(), late.driver.catchUp!()])
    expect([early.inbox.texts, late.inbox.texts]).toEqual([['ours'], []])
  })

  test('does not say that it has caught up while the broker is out of reach', async () => {
    const { driver, inbox } = await reader()
    await whileCut(inbox, () => expect(driver.catchUp!()).rejects.toBeInstanceOf(Error))
    await driver.catchUp!()
  })

  test('catches up though the last message was deleted before it was read', async () => {
    const { driver, inbox } = await reader()
    await whileCut(inbox, async () => {
      for (const text of ['1', '2']) await publish(`${stream}.news`, text)
      await manager.streams.deleteMessage(stream, 2)
    })
    await driver.catchUp!()
    expect(inbox.texts).toEqual(['1'])
  })

  test('keeps what replicas tell each other out of the stream', async () => {
    const { driver, inbox } = await reader()
    await driver.subscribe('asbru.control.beats')
    await driver.subscribe('asbru.direct')
    await driver.publish({ topic: 'asbru.control.beats', payload: bytes('beat') })
    await driver.publish({ topic: 'asbru.direct', payload: bytes('direct') })
    await inbox.until(() => inbox.messages.length === 2)
    expect((await manager.streams.info(stream)).state.messages).toBe(1)
    const direct = inbox.messages.find(({ topic }) => topic === 'asbru.direct')
    expect(direct?.position?.offset).toBe(1)
  })
})

describe('what a reader makes on the broker', () => {
  test('is an ephemeral consumer that acknowledges nothing, gone once it is closed', async () => {
    const { driver } = await reader()
    const consumers = await manager.consumers.list(stream).next()
    expect(consumers.map(({ config }) => config)).toMatchObject([
      { ack_policy: AckPolicy.None, flow_control: true, mem_storage: true },
    ])
    expect(consumers[0]!.config.durable_name).toBeUndefined()
    await driver.close()
    expect(await manager.consumers.list(stream).next()).toEqual([])
  })

  test('is gone soon after its process was killed', async () => {
    const script = fileURLToPath(new URL('support/open-driver.ts', import.meta.url))
    const child = spawn(
      process.execPath,
      ['--conditions=@asbru/source', script, broker.url, stream],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout, 'data')
    expect(await manager.consumers.list(stream).next()).toHaveLength(1)
    child.kill('SIGKILL')
    await expect
      .poll(() => manager.consumers.list(stream).next(), { timeout: 20_000, interval: 200 })
      .toEqual([])
  })
})

function driverOf(options: NatsDriverOptions): Driver {
  const driver = natsDriver({
    connection: { servers: `127.0.0.1:${proxy.port}` },
    jetstream: { stream },
    prefix: `${stream}.`,
    ...options,
  })
  onTestFinished(() => driver.close())
  return driver
}

/** An open driver that wants `news`, where the stream captures it. */
async function reader(
  options: NatsDriverOptions = {},
  open: Partial<OpenOptions> = {},
): Promise<{ driver: Driver; inbox: Recorder }> {
  const driver = driverOf(options)
  const inbox = new Recorder()
  await driver.open(inbox, { ...openOptions(), ...open })
  await driver.subscribe('news').catch(() => {})
  return { driver, inbox }
}

async function whileCut(inbox: Recorder, during: () => Promise<void>): Promise<void> {
  proxy.cut()
  await inbox.until(() => inbox.types.includes('reconnecting'))
  await during()
  proxy.resume()
  await inbox.until(() => inbox.types.at(-1) === 'connected')
}

function gapsAndTexts({ all }: Recorder): string[] {
  return all.filter((text) => !/^[a-z]+$/.test(text))
}
