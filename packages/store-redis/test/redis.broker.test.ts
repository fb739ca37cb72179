import { randomUUID } from 'node:crypto'
import { type Broker, startBroker } from '@asbru/brokers'
import { type ArchivedClient, Streamer, type StreamerOptions } from '@asbru/core'
import { memoryBroker, memoryDriver } from '@asbru/driver-memory'
import { redisDriver } from '@asbru/driver-redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RedisArchive } from '../src/redis-archive.ts'
import { redisClientStore } from '../src/redis-client-store.ts'

const BEAT_MS = 50

let broker: Broker
let redis: Redis

beforeAll(async () => {
  broker = await startBroker('redis')
  redis = new Redis(broker.url)
}, 120_000)

afterAll(async () => {
  redis.disconnect()
  await broker.stop()
})

test('clients and their topics outlive all replicas', async () => {
  const namespace = newNamespace()
  const first = await replica({ namespace })
  const second = await replica({ namespace })
  const { id } = await first.newClient({ topics: ['news'], metadata: { user: 7 } })
  await second.subscribe(id, 'pets.*')
  await second.unsubscribe(id, 'news')
  const gone = await first.newClient({ topics: ['news'] })
  await first.removeClient(gone.id)
  await Promise.all([first.close(), second.close()])
  const third = await replica({ namespace })
  expect(await third.getClient(id)).toMatchObject({ topics: ['pets.*'], metadata: { user: 7 } })
  expect(await third.totalClients()).toBe(1)
})

test('a client resumes exactly on a replica that began after all others were gone', async () => {
  const namespace = newNamespace()
  const driver = (): ReturnType<typeof redisDriver> =>
    redisDriver({ connection: broker.url, mode: 'streams', streams: { key: namespace } })
  const first = await replica({ namespace, driver: driver() })
  const { id } = await first.newClient({ topics: ['news'] })
  const { cursor } = await read(first, id, undefined, async () => {
    await first.publish('news', 'one')
  })
  await first.publish('news', 'two')
  await first.close()
  const second = await replica({ namespace, driver: driver() })
  const { texts } = await read(second, id, cursor)
  expect(texts).toEqual(['two'])
})

test('fields are merged by their stamps, in whichever order they come', async () => {
  const older = client({ topics: [['a', stamp(2), true]] })
  const newer = client({ topics: [['a', stamp(3), false]], gone: '' })
  for (const order of [
    [older, newer],
    [newer, older],
  ]) {
    const archive = await opened()
    for (const each of order) await archive.save(each, 10_000)
    expect(await all(archive)).toEqual([newer])
  }
})

test('a client that was removed stays so, also for one who saves what was before', async () => {
  const archive = await opened()
  const before = client()
  await archive.save({ ...before, gone: stamp(9) }, 10_000)
  await archive.save(before, 10_000)
  const [kept] = await all(archive)
  expect(kept!.gone > kept!.born).toBe(true)
})

test('clients expire, unless they are touched', async () => {
  const namespace = newNamespace()
  const archive = await opened(namespace)
  await archive.save(client({ id: 'short' }), 1)
  await archive.save(client({ id: 'long' }), 5_000)
  await archive.touch(['long'], 60_000)
  await expect.poll(async () => (await all(archive)).map(({ id }) => id)).toEqual(['long'])
  expect(await redis.pttl(`asbru:${namespace}:client:long`)).toBeGreaterThan(50_000)
})

test('a change is refused while Redis does not answer, and a start waits for it', async () => {
  const own = await startBroker('redis')
  onTestFinished(() => own.stop())
  const namespace = newNamespace()
  const options = { namespace, store: redisClientStore({ connection: own.url, beatMs: BEAT_MS }) }
  const first = await replica(options)
  const { id } = await first.newClient({ topics: ['news'] })
  await own.kill()
  await expect(first.subscribe(id, 'pets')).rejects.toMatchObject({ code: 'CHANGE_TIMEOUT' })
  await first.close()
  const second = newReplica({
    namespace,
    store: redisClientStore({ connection: own.url, beatMs: BEAT_MS }),
  })
  const starting = second.start()
  await own.start()
  await starting
  expect((await second.getClient(id))?.id).toBe(id)
}, 60_000)

function newReplica(options: Partial<StreamerOptions> = {}): Streamer {
  const streamer = new Streamer({
    driver: memoryDriver({ broker: shared }),
    store: redisClientStore({ connection: broker.url, beatMs: BEAT_MS }),
    beatMs: BEAT_MS,
    drainMs: 0,
    ...options,
  })
  onTestFinished(() => streamer.close())
  return streamer
}

async function replica(options: Partial<StreamerOptions> = {}): Promise<Streamer> {
  const streamer = newReplica(options)
  await streamer.start()
  return streamer
}

const shared = memoryBroker()

/** Reads events until one came; `act` is done once it is connected. */
async function read(
  streamer: Streamer,
  id: string,
  lastEventId: string | undefined,
  act: () => Promise<void> = async () => {},
): Promise<{ texts: string[]; cursor: string }> {
  const headers: Record<string, string> =
    lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const response = await streamer.fetch(new Request(`http://asbru/?id=${id}`, { headers }))
  let text = ''
  let isConnected = false
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (!isConnected) await act()
    isConnected = true
    if (/event: news\ndata: .*\n\n/.test(text)) break
  }
  const texts = [...text.matchAll(/event: news\ndata: (.*)\n/g)].map(([, data]) => data!)
  return { texts, cursor: [...text.matchAll(/^id: (.*)$/gm)].at(-1)![1]! }
}

async function opened(namespace: string = newNamespace()): Promise<RedisArchive> {
  const archive = new RedisArchive({ connection: broker.url })
  onTestFinished(() => archive.close())
  await archive.open({ namespace })
  return archive
}

async function all(archive: RedisArchive): Promise<ArchivedClient[]> {
  const found: ArchivedClient[] = []
  for await (const each of archive.load()) found.push(each)
  return found
}

function client(values: Partial<ArchivedClient> = {}): ArchivedClient {
  const set = { stamp: stamp(1), ttlMs: 60_000, metadata: {}, madeAt: '' }
  return { id: 'me', born: stamp(1), gone: '', set, topics: [], ...values }
}

function stamp(n: number): string {
  return `${String(n).padStart(13, '0')}~replica`
}

function newNamespace(): string {
  return `store-${randomUUID()}`
}
