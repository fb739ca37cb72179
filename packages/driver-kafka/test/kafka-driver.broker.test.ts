import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { kafkaDriver } from '@asbru/driver-kafka'
import kafkajs from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { kafkaUnderTest } from './support/kafka-harness.ts'
import { bytes, Opened, opened, openedWith, until } from './support/opened.ts'

const { admin, broker, plain, producer } = await kafkaUnderTest()
const connection = { brokers: [broker.url] }
const receiver = { message() {}, status() {} }
const names = { replica: 'r', namespace: 'n' }

function transactional(name: string): kafkajs.Producer {
  return plain.producer({ transactionalId: name, maxInFlightRequests: 1, idempotent: true })
}

async function groups(): Promise<string[]> {
  return (await admin.listGroups()).groups.map(({ groupId }) => groupId)
}

test('makes its Kafka topics with bounded retention, and leaves those that exist alone', async () => {
  await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 2 }] })
  const topics = ['kept', 'made']
  await opened({ connection, topics, partitions: 3, retentionMs: 60_000 })
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics, 'asbru-control'] })
  const partitions = Object.fromEntries(
    found.map(({ name, partitions: all }) => [name, all.length]),
  )
  expect(partitions).toEqual({ kept: 2, made: 3, 'asbru-control': 1 })
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name,
      configNames: ['retention.ms'],
    })),
  })
  expect(resources.map(({ configEntries }) => configEntries[0]!.configValue)).toEqual([
    '604800000',
    '60000',
  ])
})

test('refuses to open without its Kafka topics if it may not make them', async () => {
  const opening = opened({ connection, topics: ['absent'], create: false })
  await expect(opening).rejects.toThrow('There is no Kafka topic absent.')
  expect(await admin.listTopics()).not.toContain('absent')
})

test('takes the topic from a header before the key, and passes over records that say none', async () => {
  const reader = await opened({ connection }, '**')
  await producer.send({
    topic: 'asbru',
    messages: [
      { value: 'no topic' },
      { key: '', value: 'no topic either' },
      { key: 'by-key', value: '1', partition: 0 },
      { key: 'x', value: '2', headers: { 'asbru-topic': ['by-header', 'other'] }, partition: 0 },
      { key: 'tombstone', value: null, partition: 0 },
      { key: 'zipped', value: '4', partition: 0 },
    ],
    compression: kafkajs.CompressionTypes.GZIP,
  })
  await until(() => reader.messages.length >= 4)
  expect(reader.messages.map(({ topic }) => topic)).toEqual([
    'by-key',
    'by-header',
    'tombstone',
    'zipped',
  ])
  expect(reader.all).toEqual(['connected', '1', '2', '', '4'])
})

test('says of each message where it stands, alike in every replica', async () => {
  const readers = [await opened({ connection }, 'placed'), await opened({ connection }, '*')]
  for (const text of ['1', '2'])
    await readers[0]!.driver.publish({ topic: 'placed', payload: bytes(text) })
  await until(() => readers.every(({ messages }) => messages.length === 2))
  const [first, second] = readers[0]!.messages.map(({ position }) => position!)
  expect(first!.log).toMatch(/^asbru-[0-3]$/)
  expect(first!.epoch).toMatch(/^[\w-]{8}$/)
  expect(second).toEqual({ ...first, offset: Number(first!.offset) + 1 })
  expect(readers[1]!.messages.map(({ position }) => position)).toEqual([first, second])
})

test('begins with what is younger than its backlog, behind the last record that is older', async () => {
  const topics = ['quiet']
  const options = { connection, topics, partitions: 1 }
  const writer = await opened(options, 'news')
  expect(writer.begins).toEqual([-1])
  for (const text of ['0', '1', '2'])
    await writer.driver.publish({ topic: 'news', payload: bytes(text) })
  await until(() => writer.messages.length === 3)
  await wait(1_200)
  const none = await openedWith(kafkaDriver(options), { backlogMs: 1_000 }, 'news')
  const now = await opened(options, 'news')
  expect([none.begins, now.begins]).toEqual([[2], [2]])
  await writer.driver.publish({ topic: 'news', payload: bytes('3') })
  await until(() => none.messages.length === 1 && now.messages.length === 1)
  const all: Opened = new Opened(kafkaDriver(options))
  onTestFinished(() => all.driver.close())
  await all.driver.open(all, { ...names, backlogMs: 60_000 })
  expect(all.begins).toEqual([-1])
  expect(all.messages).toEqual(writer.messages)
  expect([none, now, all].flatMap(({ gaps }) => gaps)).toEqual([])
})

test('catches up with a log that ends with the end of a transaction', async () => {
  const { driver, numbers } = await opened({ connection, topics: ['tx'], partitions: 1 }, 'news')
  expect(numbers).toEqual([])
  const writer = transactional('tx')
  await writer.connect()
  onTestFinished(() => writer.disconnect())
  for (const isKept of [true, false]) {
    const transaction = await writer.transaction()
    await transaction.send({ topic: 'tx', messages: [{ key: 'news', value: '1' }] })
    await (isKept ? transaction.commit() : transaction.abort())
    await driver.catchUp!()
  }
  const late = await openedWith(
    kafkaDriver({ connection, topics: ['tx'] }),
    { backlogMs: 60_000 },
    'news',
  )
  await late.driver.catchUp!()
})

test('keeps what replicas tell each other in a Kafka topic of their own, without positions', async () => {
  const topic = 'asbru.control.n.r'
  const modes = [{}, { topics: ['one-to-one'], topicFrom: 'kafka-topic' }] as const
  const readers = await Promise.all(modes.map((mode) => opened({ connection, ...mode }, topic)))
  for (const { driver } of readers) await driver.publish({ topic, payload: bytes('told') })
  await producer.send({ topic: 'asbru', messages: [{ key: topic, value: 'not from here' }] })
  for (const reader of readers) {
    await until(() => reader.told('told') === 2)
    await reader.driver.catchUp!()
    expect(reader.messages.map(({ position }) => position)).toEqual([undefined, undefined])
    expect(reader.told('not from here')).toBe(0)
  }
})

test('reads Kafka topics as topics of their own, by a list', async () => {
  const options = {
    connection,
    topics: ['orders.42', 'orders.43'],
    topicFrom: 'kafka-topic',
  } as const
  const reader = await opened(options, 'orders.*', 'asbru.direct')
  await producer.send({ topic: 'orders.42', messages: [{ key: 'k', value: '1' }] })
  await reader.driver.publish({ topic: 'orders.43', payload: bytes('2'), event: 'paid' })
  await reader.driver.publish({ topic: 'asbru.direct', payload: bytes('3') })
  await until(() => reader.messages.length === 3)
  const direct = reader.messages.find(({ topic }) => topic === 'asbru.direct')
  expect(direct!.position!.log).toMatch(/^asbru-direct-[0-3]$/)
  const events = Object.fromEntries(reader.messages.map(({ topic, event }) => [topic, event]))
  expect(events).toStrictEqual({
    'asbru.direct': undefined,
    'orders.42': undefined,
    'orders.43': 'paid',
  })
  const refused = reader.driver.publish({ topic: 'orders.44', payload: bytes('x') })
  await expect(refused).rejects.toThrow('There is no Kafka topic for orders.44')
})

test('keeps the order of what it publishes to a Kafka topic with several partitions', async () => {
  const options = { connection, topics: ['sorted'], topicFrom: 'kafka-topic' } as const
  const reader = await opened(options, 'sorted')
  const numbers = Array.from({ length: 100 }, (_, i) => i)
  const payloads = numbers.map((number) => bytes(number))
  await Promise.all(payloads.map((payload) => reader.driver.publish({ topic: 'sorted', payload })))
  await until(() => reader.messages.length === 100)
  expect(reader.numbers).toEqual(numbers)
})

test('finds Kafka topics by a regular expression, also those that are made later', async () => {
  await admin.createTopics({ topics: [{ topic: 'found.1', numPartitions: 1 }] })
  const reader = await opened({ connection, topics: /^found\./g, topicFrom: 'kafka-topic' }, '**')
  await producer.send({ topic: 'found.1', messages: [{ value: '1' }] })
  await admin.createTopics({ topics: [{ topic: 'found.2', numPartitions: 1 }] })
  await producer.send({ topic: 'found.2', messages: [{ value: '2' }] })
  await until(() => reader.messages.length === 2)
  await producer.send({ topic: 'found.1', messages: [{ value: '3' }] })
  await until(() => reader.messages.length === 3)
  expect(reader.all).toEqual(['connected', '1', '2', '3'])
  const begun = reader.statuses.flatMap((status) =>
    status.type === 'log' ? [status.position] : [],
  )
  const logs = reader.messages.slice(0, 2).map(({ position }) => position!.log)
  expect(logs.map((log) => begun.find((each) => each.log === log)?.offset)).toEqual([-1, -1])
})

test('goes on with its other Kafka topics when one is deleted', { timeout: 60_000 }, async () => {
  const topics = ['gone.1', 'gone.2']
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 1 })) })
  const reader = await opened({ connection, topics: /^gone\./, topicFrom: 'kafka-topic' }, '**')
  for (const topic of topics) await reader.driver.publish({ topic, payload: bytes(topic) })
  await until(() => reader.messages.length === 2)
  await admin.deleteTopics({ topics: ['gone.1'] })
  await until(async () => !(await admin.listTopics()).includes('gone.1'))
  await producer.send({ topic: 'gone.2', messages: [{ value: 'still' }] })
  await until(() => reader.all.includes('still'), 30_000)
  await reader.driver.publish({ topic: 'gone.2', payload: bytes('again') })
  await until(() => reader.all.includes('again'))
  expect(reader.messages).toHaveLength(4)
})

test(
  'makes a Kafka topic again that is deleted, and tells a gap',
  { timeout: 60_000 },
  async () => {
    const reader = await opened({ connection, topics: ['again'] }, 'news')
    const publish = (text: string): Promise<void> =>
      reader.driver.publish({ topic: 'news', payload: bytes(text) })
    for (const text of ['1', '2', '3']) await publish(text)
    await until(() => reader.messages.length === 3)
    await admin.deleteTopics({ topics: ['again'] })
    await until(() => reader.told('gap log-changed') === 1, 30_000)
    await until(() =>
      publish('4').then(
        () => true,
        () => false,
      ),
    )
    await until(() => reader.all.includes('4'))
    expect(reader.numbers).toEqual([1, 2, 3, 4])
  },
)

test('reads through a client that exists, and leaves it alone', async () => {
  const client = new kafkajs.Kafka({ brokers: [broker.url], logLevel: kafkajs.logLevel.NOTHING })
  const reader = await opened({ client }, 'news')
  await reader.driver.publish({ topic: 'news', payload: bytes('hello') })
  await until(() => reader.all.includes('hello'))
  await reader.driver.close()
  const own = client.admin()
  await own.connect()
  expect(await own.listTopics()).toContain('asbru')
  await own.disconnect()
})

test('tells why a message is refused, and loses none of those published with it', async () => {
  await admin.createTopics({ topics: [{ topic: 'small', numPartitions: 1 }] })
  const { driver, all } = await opened({ connection, topics: ['small'] }, 'news')
  const large = driver.publish({ topic: 'news', payload: new Uint8Array(1_048_576) })
  const small = ['1', '2'].map((text) => driver.publish({ topic: 'news', payload: bytes(text) }))
  await expect(large).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' })
  await Promise.all(small)
  await until(() => all.length === 3)
  expect(all).toEqual(['connected', '1', '2'])
})

test('takes a client that dropped a message without a word at its result', async () => {
  const reader = await opened({ connection }, 'news')
  const none = vi.spyOn(kafkajs.Partitioners, 'DefaultPartitioner')
  none.mockImplementation(() => () => 99)
  onTestFinished(() => none.mockRestore())
  const { driver } = await opened({ connection })
  const dropped = driver.publish({ topic: 'news', payload: bytes('dropped') })
  await expect(dropped).rejects.toThrow('has no partition to send to')
  expect(reader.messages).toEqual([])
})

test('keeps reading after a receiver that throws', async () => {
  const driver = kafkaDriver({ connection })
  onTestFinished(() => driver.close())
  const got: string[] = []
  const throwing = {
    status() {},
    message({ payload }: { payload: Uint8Array }) {
      got.push(Buffer.from(payload).toString())
      if (got.length === 1) throw new TypeError('a bug')
    },
  }
  await driver.open(throwing, names)
  await driver.subscribe('news')
  for (const text of ['1', '2']) await driver.publish({ topic: 'news', payload: bytes(text) })
  await until(() => got.includes('2'))
  expect(got).toEqual(['1', '1', '2'])
})

test('has one group, without committed offsets, which is gone when it is closed', async () => {
  const { driver } = await opened({ connection, groupPrefix: 'mine-' }, 'news')
  const own = (await groups()).filter((groupId) => groupId.startsWith('mine-'))
  expect(own).toHaveLength(1)
  await driver.publish({ topic: 'news', payload: bytes('1') })
  const offsets = await admin.fetchOffsets({ groupId: own[0]!, topics: ['asbru'] })
  expect(offsets[0]!.partitions.map(({ offset }) => offset)).toEqual(['-1', '-1', '-1', '-1'])
  await driver.close()
  expect(await groups()).not.toContain(own[0])
})

test('leaves a group without members or offsets behind when its process is killed', async () => {
  const script = `
    import { kafkaDriver } from '@asbru/driver-kafka'
    const driver = kafkaDriver({ connection: { brokers: ['${broker.url}'] }, groupPrefix: 'killed-' })
    await driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' })
    process.stdout.write('ready')`
  const child = spawn(
    process.execPath,
    ['--conditions=@asbru/source', '--input-type=module', '-e', script],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  await once(child.stdout, 'data')
  const own = (await groups()).find((groupId) => groupId.startsWith('killed-'))
  child.kill('SIGKILL')
  // Kafka takes groups that are empty and have committed nothing away.
  await until(async () => {
    const { groups: described } = await admin.describeGroups([own!])
    return ['Empty', 'Dead'].includes(described[0]!.state)
  })
  const offsets = await admin.fetchOffsets({ groupId: own!, topics: ['asbru'] })
  expect(offsets[0]!.partitions.every(({ offset }) => offset === '-1')).toBe(true)
})

test('lets its process end when it is closed while Kafka is out of reach', async () => {
  const script = `
    import { kafkaDriver } from '@asbru/driver-kafka'
    const driver = kafkaDriver({ connection: { brokers: ['127.0.0.1:1'] }, startTimeoutMs: 500 })
    await driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' }).catch(() => {})
    await driver.close()`
  const child = spawn(
    process.execPath,
    ['--conditions=@asbru/source', '--input-type=module', '-e', script],
    { cwd: import.meta.dirname, stdio: 'ignore' },
  )
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('ends at once when it is closed while it waits for an absent Kafka', async () => {
  const driver = kafkaDriver({ connection: { brokers: ['127.0.0.1:1'] }, startTimeoutMs: 0 })
  const opening = driver.open(receiver, names)
  const settled = Promise.allSettled([opening])
  await driver.close()
  expect(await settled).toMatchObject([{ status: 'rejected' }])
})
