import { describeNetworks } from '@asbru/trials'
import { expect, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { redisUnderTest, redisWay } from './support/redis-harness.ts'

const redis = await redisUnderTest()
const { proxy, plain, url } = redis

describeNetworks({
  name: 'Redis',
  proxies: [proxy],
  ways: [redisWay(redis, 'pubsub'), redisWay(redis, 'streams')],
})

/** Ids of the connections that Redis has for what `sign` is true of. */
async function connections(sign: RegExp): Promise<string[]> {
  const list = String(await plain.client('LIST'))
  return list.split('\n').flatMap((line) => (sign.test(line) ? [/id=(\d+)/.exec(line)![1]!] : []))
}

test('tells a gap in pub/sub when its subscribing connection is killed, and goes on', async () => {
  const reader = await opened({ connection: url }, 'news', 'pets.*')
  const [id] = await connections(/ psub=1 /)
  await plain.client('KILL', 'ID', id!)
  await until(() => reader.told('connected') === 2)
  expect(reader.all).toEqual(['connected', 'reconnecting', 'gap broker-reconnected', 'connected'])
  await plain.publish('news', 'again')
  await plain.publish('pets.dogs', 'woof')
  await until(() => reader.messages.length === 2)
  expect(reader.all.slice(4)).toEqual(['again', 'woof'])
})

test('tells no gap when its publishing connection is killed', async () => {
  const reader = await opened({ connection: url }, 'news')
  const [id] = await connections(/ sub=0 psub=0 .* cmd=info .*lib-name=ioredis/)
  const ids = id === undefined ? await connections(/ sub=0 psub=0 /) : [id]
  const own = String(await plain.client('ID'))
  for (const each of ids) if (each !== own) await plain.client('KILL', 'ID', each)
  await until(() => reader.told('connected') === 2)
  expect(reader.gaps).toEqual([])
  await reader.driver.publish({ topic: 'news', payload: bytes('again') })
  await until(() => reader.all.includes('again'))
})

test('tells no gap while it has no subscriptions', async () => {
  const reader = await opened({ connection: url })
  proxy.cut()
  await until(() => reader.told('reconnecting') === 1)
  proxy.resume()
  await until(() => reader.told('connected') === 2)
  expect(reader.gaps).toEqual([])
})

test('loses nothing in streams when its reading connection is killed again and again', async () => {
  const reader = await opened({ connection: url, mode: 'streams' }, 'counted')
  for (let i = 0; i < 200; i++) {
    await plain.xadd('asbru', '*', 'topic', 'counted', 'data', String(i))
    if (i % 50 === 25)
      for (const id of await connections(/ cmd=xread /)) await plain.client('KILL', 'ID', id)
  }
  await until(() => reader.messages.length >= 200)
  expect(reader.numbers).toEqual(Array.from({ length: 200 }, (_, i) => i))
  expect(reader.told('reconnecting')).toBeGreaterThan(0)
  expect(reader.gaps).toEqual([])
})

test('tells a gap when Redis drops it because it does not keep up', async () => {
  await plain.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 1mb 1')
  const reader = await opened({ connection: url }, 'bulk')
  proxy.stall()
  const large = Buffer.alloc(1024 * 1024)
  // Until the buffers of the sockets are full and Redis has enough of it.
  await until(async () => (await plain.publish('bulk', large)) === 0)
  proxy.resume()
  await until(() => reader.told('connected') === 2)
  expect(reader.gaps).toEqual(['broker-reconnected'])
  await plain.publish('bulk', 'again')
  await until(() => reader.all.at(-1) === 'again')
})

test('tells a gap when its subscribing connection fell silent', { timeout: 60_000 }, async () => {
  const reader = await opened({ connection: url }, 'news')
  proxy.stall()
  await plain.publish('news', 'missed')
  // The proxy takes down both ends of what the driver gives up.
  await until(async () => (await connections(/ sub=1 /)).length === 0, 30_000)
  proxy.resume()
  await until(() => reader.told('connected') === 2)
  expect(reader.gaps).toEqual(['broker-reconnected'])
  await plain.publish('news', 'again')
  await until(() => reader.texts.includes('again'))
})
