import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { rabbitmqDriver } from '@asbru/driver-rabbitmq'
import { connect } from 'amqplib'
import { expect, onTestFinished, test } from 'vitest'
import { bytes, Opened, opened, openedWith, until } from './support/opened.ts'
import { bindingsOf, queuesOf, rabbitmqUnderTest } from './support/rabbitmq-harness.ts'

const { broker, channel, publishPlain, proxy, url } = await rabbitmqUnderTest()

test('delivers `pets` to `pets.**`, and no reserved topic to `**`', async () => {
  const { driver, messages } = await opened({ connection: url }, 'pets.**', '**')
  await publishPlain({ topic: 'asbru.direct', payload: bytes('reserved') })
  await publishPlain({ topic: 'pets', payload: bytes('pets') })
  await publishPlain({ topic: 'pets.dogs', payload: bytes('dogs') })
  await until(() => messages.length >= 2)
  await driver.subscribe('asbru.direct')
  await publishPlain({ topic: 'asbru.direct', payload: bytes('direct') })
  await until(() => messages.length >= 3)
  expect(messages.map(({ topic }) => topic)).toEqual(['pets', 'pets.dogs', 'asbru.direct'])
})

test('reports a gap when its queue was deleted, and goes on with a new one', async () => {
  const reader = await opened({ connection: url, exchange: 'deleted' }, 'news')
  const [queue] = await bindingsOf(broker, 'deleted')
  await channel.deleteQueue(queue!)
  await until(() => reader.told('connected') === 2)
  expect(reader.all).toEqual(['connected', 'reconnecting', 'gap broker-reconnected', 'connected'])
  await reader.driver.publish({ topic: 'news', payload: bytes('after') })
  await until(() => reader.all.includes('after'))
})

test('reports a gap when its queue was full while it was cut off, before what is left', async () => {
  const publisher = await opened({ connection: broker.url })
  const reader = await opened({ connection: url, queue: { maxLength: 10 } }, 'full')
  proxy.cut()
  try {
    await until(() => reader.all.includes('reconnecting'))
    for (let i = 0; i < 11; i++)
      await publisher.driver.publish({ topic: 'full', payload: bytes(i) })
  } finally {
    proxy.resume()
  }
  await until(() => reader.messages.length === 10 && reader.told('connected') === 2)
  expect(reader.gaps).toEqual(['messages-dropped'])
  expect(reader.all.indexOf('gap messages-dropped')).toBeLessThan(reader.all.indexOf('1'))
})

test('reports no gap when its queue was filled to the brim while it was cut off', async () => {
  const publisher = await opened({ connection: broker.url })
  const reader = await opened({ connection: url, queue: { maxLength: 10 } }, 'brim')
  proxy.cut()
  try {
    await until(() => reader.all.includes('reconnecting'))
    for (let i = 0; i < 10; i++)
      await publisher.driver.publish({ topic: 'brim', payload: bytes(i) })
  } finally {
    proxy.resume()
  }
  await until(() => reader.messages.length === 10 && reader.told('connected') === 2)
  expect(reader.gaps).toEqual([])
})

test('reports a gap when its stream was deleted and made anew, and reads the new one', async () => {
  const options = { exchange: 'anew', stream: { name: 'anew' } }
  const reader = await opened({ connection: url, ...options }, 'news')
  const publisher = await opened({ connection: broker.url, exchange: 'anew' })
  for (let i = 0; i < 20; i++) await publisher.driver.publish({ topic: 'news', payload: bytes(i) })
  await until(() => reader.messages.length === 20)
  proxy.cut()
  try {
    await until(() => reader.all.includes('reconnecting'))
    await channel.deleteQueue('anew')
    const other = await opened({ connection: broker.url, ...options })
    await other.driver.publish({ topic: 'news', payload: bytes('new') })
  } finally {
    proxy.resume()
  }
  await until(() => reader.all.includes('new'))
  expect(reader.gaps).toEqual(['log-changed'])
  expect(reader.all.indexOf('gap log-changed')).toBeLessThan(reader.all.indexOf('new'))
  expect(reader.messages).toHaveLength(21)
  expect(reader.begins).toEqual([-1, -1])
})

test('begins behind the last message that is older than its backlog, marks or not', async () => {
  const name = 'quiet'
  const options = { connection: url, exchange: name, stream: { name } }
  const writer = await opened(options, 'news')
  expect(writer.begins).toEqual([-1])
  for (let i = 0; i < 3; i++) await writer.driver.publish({ topic: 'news', payload: bytes(i) })
  for (let i = 0; i < 40; i++) await writer.driver.catchUp!()
  expect(writer.numbers).toEqual([0, 1, 2])
  const { offset } = writer.messages.at(-1)!.position!
  await wait(2_500)
  const none = await openedWith(rabbitmqDriver(options), { backlogMs: 1_000 }, 'news')
  const now = await opened(options, 'news')
  expect([none.begins, now.begins]).toEqual([[offset], [offset]])
  await writer.driver.publish({ topic: 'news', payload: bytes(3) })
  await until(() => none.messages.length === 1 && now.messages.length === 1)
  const all: Opened = new Opened(rabbitmqDriver(options))
  onTestFinished(() => all.driver.close())
  await all.driver.open(all, { replica: 'r', namespace: 'n', backlogMs: 60_000 })
  expect(all.begins).toEqual([-1])
  expect(all.messages).toEqual(writer.messages)
  expect([none, now, all].flatMap(({ gaps }) => gaps)).toEqual([])
})

test('does not say that it has caught up while RabbitMQ is out of reach', async () => {
  const { driver, all } = await opened({ connection: url, stream: { name: 'away' } })
  proxy.cut()
  try {
    await until(() => all.includes('reconnecting'))
    await expect(driver.catchUp!()).rejects.toBeInstanceOf(Error)
  } finally {
    proxy.resume()
  }
  await until(() => all.at(-1) === 'connected')
  await driver.catchUp!()
})

test('keeps what replicas tell each other out of the stream, in queues that go with them', async () => {
  const options = { exchange: 'beside', stream: { name: 'beside' } }
  const topic = 'asbru.control.n.r'
  const reader = await opened({ connection: url, ...options }, topic)
  const other = await opened({ connection: url, ...options })
  await other.driver.publish({ topic, payload: bytes('before') })
  await until(() => reader.all.includes('before'))
  proxy.cut()
  await until(() => reader.all.includes('reconnecting'))
  proxy.resume()
  await until(() => [reader, other].every((each) => each.told('connected') === 2))
  await other.driver.publish({ topic, payload: bytes('after') })
  await until(() => reader.all.includes('after'))
  expect(reader.messages.map(({ position }) => position)).toEqual([undefined, undefined])
  expect(reader.gaps).toEqual([])
  const [queue] = await bindingsOf(broker, 'beside.control')
  await reader.driver.close()
  await until(async () => !(await queuesOf(broker)).includes(queue!))
})

test('refuses to start without exchange or stream if it may not make them', async () => {
  const absent = opened({ connection: url, exchange: 'absent', create: false })
  await expect(absent).rejects.toMatchObject({ code: 404 })
  const stream = opened({ connection: url, create: false, stream: { name: 'absent' } })
  await expect(stream).rejects.toMatchObject({ code: 404 })
})

test('leaves the connection of another owner open', async () => {
  const client = await connect(url, { recovery: { initialDelay: 100, maxDelay: 1_000 } })
  onTestFinished(() => client.close())
  client.on('error', () => {})
  const { driver, all } = await opened({ client }, 'news')
  await driver.publish({ topic: 'news', payload: bytes('hello') })
  await until(() => all.includes('hello'))
  await driver.close()
  const its = await client.createChannel()
  await expect(its.checkExchange('asbru')).resolves.toBeDefined()
  await its.close()
})

test('leaves no queue behind when it is closed', async () => {
  const { driver } = await opened({ connection: url, exchange: 'closed' }, 'news')
  const [queue] = await bindingsOf(broker, 'closed')
  expect(await queuesOf(broker)).toContain(queue)
  await driver.close()
  await until(async () => !(await queuesOf(broker)).some((name) => name.startsWith(queue!)))
})

test('leaves no queue behind soon after its process is killed', { timeout: 60_000 }, async () => {
  const script = `
    import { rabbitmqDriver } from '@asbru/driver-rabbitmq'
    const driver = rabbitmqDriver({
      connection: '${broker.url}', exchange: 'killed', queue: { expiresMs: 1000 },
    })
    await driver.open({ message() {}, status() {} }, { replica: 'killed', namespace: 'n' })
    await driver.subscribe('news')
    process.stdout.write('ready')`
  const child = spawn(
    process.execPath,
    ['--conditions=@asbru/source', '--input-type=module', '-e', script],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout, 'data')
  const [queue] = await bindingsOf(broker, 'killed')
  expect(queue).toMatch(/^asbru\.n\.killed\./)
  child.kill('SIGKILL')
  await until(async () => !(await queuesOf(broker)).some((name) => name.startsWith(queue!)), 30_000)
})
