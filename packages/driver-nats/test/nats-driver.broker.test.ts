import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as connectTo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Broker, startBroker } from '@asbru/brokers'
import type { Driver } from '@asbru/core'
import { natsDriver, type NatsDriverOptions } from '@asbru/driver-nats'
import { connect as connectNewer } from '@nats-io/transport-node'
import { connect, type NatsConnection } from 'nats'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bytes, openOptions, Recorder } from '@asbru/trials'

const USERS = `
  authorization {
    users = [
      { user: all, password: secret }
      { user: some, password: secret, permissions: {
          publish: { deny: ["secret.>", "events.secret.>"] }, subscribe: { deny: ["secret.>"] } } }
    ]
  }
`

let broker: Broker
let plain: NatsConnection

beforeAll(async () => {
  broker = await startBroker('nats', { config: USERS })
  plain = await connect({ servers: broker.url, user: 'all', pass: 'secret' })
})

afterAll(async () => {
  await plain.close()
  await broker.stop()
})

describe('a user who may not do everything', () => {
  test.each([{}, { jetstream: { stream: 'EVENTS' } }])(
    'is told so by the publish that the broker refuses, and by no other: %j',
    async (options) => {
      const { driver, inbox } = await reader({ ...options, connection: login('some') })
      await driver.subscribe('news')
      const answers = await Promise.allSettled(
        ['news', 'secret.x', 'news'].map((topic) =>
          driver.publish({ topic, payload: bytes('hello') }),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(answers[1]).toMatchObject({ reason: { code: 'PERMISSIONS_VIOLATION' } })
      await inbox.until(() => inbox.messages.length === 2)
      expect(inbox.types).toEqual(['connected'])
    },
  )

  test('is told so by the publish with a connection of @nats-io/transport-node, too', async () => {
    const client = await connectNewer(login('some'))
    onTestFinished(() => client.close())
    const { driver } = await reader({ client })
    await expect(
      driver.publish({ topic: 'secret.x', payload: bytes('hello') }),
    ).rejects.toMatchObject({ name: 'PermissionViolationError' })
  })

  test('is told so by the subscribe that the broker refuses, and can go on', async () => {
    const { driver, inbox } = await reader({ connection: login('some') })
    await expect(driver.subscribe('secret.x')).rejects.toMatchObject({
      code: 'PERMISSIONS_VIOLATION',
    })
    await driver.subscribe('news')
    await driver.publish({ topic: 'news', payload: bytes('hello') })
    await inbox.until(() => inbox.texts.includes('hello'))
    expect(inbox.types).toEqual(['connected'])
  })

  test('is told of a topic that is taken away, and keeps the others', async () => {
    const own = await startBroker('nats', { config: USERS })
    onTestFinished(() => own.stop())
    const { driver, inbox } = await reader({ connection: { ...login('some'), servers: own.url } })
    for (const topic of ['news', 'taken.away']) await driver.subscribe(topic)
    const file = join(own.dir, 'nats.conf')
    const config = readFileSync(file, 'utf8')
    writeFileSync(file, config.replace('subscribe: { deny: [', 'subscribe: { deny: ["taken.>", '))
    process.kill(own.pid, 'SIGHUP')
    await inbox.until(() => inbox.types.includes('topicFailed'))
    expect(inbox.statuses.find(({ type }) => type === 'topicFailed')).toMatchObject({
      topic: 'taken.away',
      error: { code: 'PERMISSIONS_VIOLATION' },
    })
    await driver.publish({ topic: 'news', payload: bytes('hello') })
    await inbox.until(() => inbox.texts.includes('hello'))
    await expect(driver.subscribe('taken.away')).rejects.toMatchObject({
      code: 'PERMISSIONS_VIOLATION',
    })
  })

  test('fails the start at once with a wrong password, however long it may take', async () => {
    const connection = { ...login('some'), pass: 'wrong' }
    const driver = natsDriver({ connection, startTimeoutMs: 0 })
    await expect(driver.open(new Recorder(), openOptions())).rejects.toMatchObject({
      code: 'AUTHORIZATION_VIOLATION',
    })
  })
})

describe('a connection of the user', () => {
  test.each([
    ['nats', connect],
    ['@nats-io/transport-node', connectNewer],
  ])('of %s is left open, without a subscription', async (_, connectWith) => {
    const client = await connectWith(login('all'))
    onTestFinished(() => client.close())
    const { driver, inbox } = await reader({ client })
    await driver.subscribe('left.open')
    await driver.close()
    expect(inbox.types).toEqual(['connected', 'closed'])
    expect(client.isClosed()).toBe(false)
    await client.flush()
    const asked = plain.request('left.open', bytes(''), { timeout: 5_000 })
    await expect(asked).rejects.toMatchObject({ code: '503' })
  })

  test('that the user closes closes the driver', async () => {
    const client = await connect(login('all'))
    const { driver, inbox } = await reader({ client })
    await client.close()
    await inbox.until(() => inbox.types.includes('closed'))
    await expect(driver.publish({ topic: 'news', payload: bytes('') })).rejects.toBeInstanceOf(
      Error,
    )
  })
})

test('a payload over the limit of the server is refused, and the connection holds', async () => {
  const { driver, inbox } = await reader({ connection: login('all') })
  const payload = new Uint8Array(1_048_577)
  await expect(driver.publish({ topic: 'news', payload })).rejects.toMatchObject({
    code: 'MAX_PAYLOAD_EXCEEDED',
  })
  await driver.subscribe('news')
  await driver.publish({ topic: 'news', payload: bytes('hello') })
  await inbox.until(() => inbox.texts.includes('hello'))
  expect(inbox.types).toEqual(['connected'])
})

test('a small payload does not keep the chunk of the network that it came in', async () => {
  const { driver, inbox } = await reader({ connection: login('all') })
  await driver.subscribe('small')
  for (let i = 0; i < 100; i++) plain.publish('small', bytes(String(i)))
  await plain.flush()
  await inbox.until(() => inbox.messages.length === 100)
  for (const { payload } of inbox.messages) expect(payload.buffer.byteLength).toBeLessThan(256)
})

test('a new connection shares nothing with one that the broker still believes alive', async () => {
  const road = await forgetfulRoad(broker)
  const connection = { ...login('all'), servers: `127.0.0.1:${road.port}` }
  const { driver, inbox } = await reader({ connection })
  await driver.subscribe('shared')
  road.cutNearEnds()
  await inbox.until(() => inbox.types.at(-1) === 'connected' && inbox.types.length > 1)
  for (let i = 0; i < 100; i++) await driver.publish({ topic: 'shared', payload: bytes(String(i)) })
  await driver.subscribe('last')
  await driver.publish({ topic: 'last', payload: bytes('last') })
  await inbox.until(() => inbox.texts.includes('last'))
  expect(inbox.texts.slice(0, -1)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
})

function login(user: string): { servers: string; user: string; pass: string } {
  return { servers: broker.url, user, pass: 'secret' }
}

async function reader(options: NatsDriverOptions): Promise<{ driver: Driver; inbox: Recorder }> {
  const driver = natsDriver(options)
  onTestFinished(() => driver.close())
  const inbox = new Recorder()
  await driver.open(inbox, openOptions())
  return { driver, inbox }
}

/** A way to the broker that can end all connections without telling the broker. */
async function forgetfulRoad({ port }: Broker): Promise<{ port: number; cutNearEnds(): void }> {
  const near = new Set<Socket>()
  const far = new Set<Socket>()
  const server = createServer((socket) => {
    const onward = connectTo(port, '127.0.0.1')
    near.add(socket.on('error', () => {}))
    far.add(onward.on('error', () => {}))
    socket.pipe(onward, { end: false })
    onward.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of [...near, ...far]) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cutNearEnds() {
      for (const socket of near) socket.destroy()
      near.clear()
      for (const socket of far) socket.resume()
    },
  }
}
