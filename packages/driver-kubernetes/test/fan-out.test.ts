import { reservePort } from '@asbru/brokers'
import { localhostPeers, staticPeers } from '@asbru/driver-kubernetes'
import { expect, test } from 'vitest'
import { fakePeer, posted, postTo } from './support/fake-peer.ts'
import { replica, ToldFinder, until } from './support/replica.ts'

const NUMBERS = Array.from({ length: 100 }, (_, i) => String(i))
const gap = { type: 'gap', reason: 'messages-dropped' }

test('finds all peers by one that knows them', async () => {
  const seed = await replica({ peers: staticPeers([]) })
  const others = [
    await replica({ peers: staticPeers([seed.address]) }),
    await replica({ peers: localhostPeers(Number(seed.address.split(':')[1])) }),
  ]
  for (const each of [seed, ...others]) await each.publish(each.address)
  const all = [seed, ...others].map(({ address }) => address).toSorted()
  for (const each of [seed, ...others])
    await until(() => expect(each.texts.toSorted()).toEqual(all))
})

test('knows itself among the peers that it is given', async () => {
  const one = await replica({ peers: staticPeers([]) })
  const itself = new ToldFinder()
  const other = await replica({ peers: itself })
  itself.find({ address: other.address, ready: true }, { address: one.address, ready: true })
  await other.publish('hello')
  await until(() => expect(one.texts).toEqual(['hello']))
  expect(other.texts).toEqual(['hello'])
})

test('posts a retry whose first answer was lost, which is seen once', async () => {
  let isLossy = true
  const taken: unknown[] = []
  const address = await fakePeer(({ post, answer, drop }) => {
    taken.push(...post.messages.map((message) => message[1]))
    if (isLossy && post.messages.length > 0) {
      isLossy = false
      drop()
    } else answer()
  })
  const one = await replica({ peers: new ToldFinder({ address, ready: true }) })
  await one.publish('once')
  await until(() => expect(taken).toHaveLength(2))

  const other = await replica({ peers: new ToldFinder() })
  const again = { sender: 'a', messages: [posted('once')] }
  expect(await postTo(other.address, again)).toBe(200)
  expect(await postTo(other.address, again)).toBe(200)
  expect(other.texts).toEqual(['once'])
})

test('tells a gap before what comes after messages that were dropped for it', async () => {
  const one = await replica({ peers: new ToldFinder() })
  await postTo(one.address, { sender: 'a', messages: [posted('1')] })
  expect(one.statuses).not.toContainEqual(gap)
  await postTo(one.address, { sender: 'a', first: 5, messages: [posted('5')] })
  expect(one.statuses.at(-1)).toEqual(gap)
  expect(one.texts).toEqual(['1', '5'])
})

test('tells a gap when another has seen a message that was lost with its sender', async () => {
  const one = await replica({ peers: new ToldFinder() })
  await postTo(one.address, { sender: 'a', messages: [posted('1')] })
  await postTo(one.address, { sender: 'b', seen: { a: 1 } })
  await postTo(one.address, { sender: 'b', seen: { a: 2 } })
  expect(one.statuses).not.toContainEqual(gap)
  await until(() => expect(one.statuses).toContainEqual(gap))
})

test('drops the oldest of what waits for a peer past the bound', async () => {
  let isOpen = false
  const firsts: number[] = []
  const address = await fakePeer(({ post, answer, drop }) => {
    if (!isOpen) return drop()
    if (post.messages.length > 0) firsts.push(post['first'] as number)
    answer()
  })
  const one = await replica({
    peers: new ToldFinder({ address, ready: true }),
    maxQueueBytes: 500,
    greetTimeoutMs: 50,
  })
  for (const number of NUMBERS) await one.publish(number)
  isOpen = true
  await until(() => expect(firsts[0]).toBeGreaterThan(50))
})

test('a peer that answers nothing delays no other, and after its time no publisher', async () => {
  const silent = await fakePeer(() => {})
  const well = await replica({ peers: new ToldFinder() })
  const one = await replica({
    peers: new ToldFinder({ address: silent, ready: true }, { address: well.address, ready: true }),
    greetTimeoutMs: 50,
  })
  const begun = performance.now()
  for (const number of NUMBERS) await one.publish(number)
  await until(() => expect(well.texts).toEqual(NUMBERS))
  expect(performance.now() - begun).toBeLessThan(1_500)
})

test('posts no message to a peer that is gone, or that was never ready', async () => {
  const got: Record<string, number> = { gone: 0, unready: 0 }
  const peerOf = (name: string): Promise<string> =>
    fakePeer(({ post, answer }) => {
      got[name]! += post.messages.length
      answer()
    })
  const [gone, unready] = [await peerOf('gone'), await peerOf('unready')]
  const finder = new ToldFinder({ address: gone, ready: true }, { address: unready, ready: false })
  const one = await replica({ peers: finder })
  await one.publish('before')
  await until(() => expect(got['gone']).toBe(1))
  finder.find({ address: unready, ready: false })
  const well = await replica({ peers: new ToldFinder({ address: one.address, ready: true }) })
  await one.publish('after')
  await until(() => expect(well.texts).toEqual(['after']))
  expect(got).toEqual({ gone: 1, unready: 0 })
})

test('posts at once to a peer that says hello, listed or not', async () => {
  const one = await replica({ peers: new ToldFinder() })
  const starting = await replica({ peers: new ToldFinder({ address: one.address, ready: false }) })
  await one.publish('hello')
  await until(() => expect(starting.texts).toEqual(['hello']))
})

test.each(['listed first', 'heard first'])(
  'posts once to a peer that is listed under another address than it says: %s',
  async (order) => {
    const taken: unknown[] = []
    const address = await fakePeer(({ post, answer }) => {
      taken.push(...post.messages)
      answer()
    })
    const listed = { address: address.replace('127.0.0.1', 'localhost'), ready: true }
    const finder = new ToldFinder(...(order === 'listed first' ? [listed] : []))
    const one = await replica({ peers: finder, beatMs: 50 })
    await postTo(one.address, { sender: 'fake', address })
    finder.find(listed)
    await until(async () => {
      taken.length = 0
      for (const number of NUMBERS) await one.publish(number)
      expect(taken).toEqual(NUMBERS.map(posted))
    })
  },
)

test('posts where a peer is listed while it is not reached where it says', async () => {
  const { port } = await reservePort()
  const taken: unknown[] = []
  const address = await fakePeer(({ post, answer }) => {
    taken.push(...post.messages)
    answer()
  })
  const one = await replica({ peers: new ToldFinder({ address, ready: true }), beatMs: 50 })
  await postTo(one.address, { sender: 'fake', address: `127.0.0.1:${port}` })
  for (const number of NUMBERS) await one.publish(number)
  await until(() => expect(taken).toEqual(NUMBERS.map(posted)))
})

test('posts on to a peer that drains: listed as not ready, but still heard', async () => {
  const draining = await replica({ peers: new ToldFinder() })
  const finder = new ToldFinder({ address: draining.address, ready: true })
  const one = await replica({ peers: finder })
  // Answered by the other, so that it has heard.
  await draining.publish('heard')
  finder.find({ address: draining.address, ready: false })
  await one.publish('draining')
  await until(() => expect(draining.texts).toEqual(['heard', 'draining']))
})

test('is open once all peers have answered, ready or not', async () => {
  let isAnswered = false
  const slow = await fakePeer(({ answer }) => {
    setTimeout(() => {
      isAnswered = true
      answer()
    }, 300)
  })
  await replica({ peers: new ToldFinder({ address: slow, ready: false }) })
  expect(isAnswered).toBe(true)
})

test('does not wait for a peer where nobody listens, but for one that is silent', async () => {
  const { port } = await reservePort()
  const silent = await fakePeer(() => {})
  const opened = [silent, `127.0.0.1:${port}`].map(async (address) => {
    await replica({ peers: new ToldFinder({ address, ready: true }), greetTimeoutMs: 9_000 })
    return address
  })
  expect(await Promise.race(opened)).not.toBe(silent)
})

test('says hello on where nobody listened, and posts to who comes there', async () => {
  const { port } = await reservePort()
  const one = await replica({ peers: staticPeers([`127.0.0.1:${port}`]) })
  await one.publish('before')
  const taken: unknown[] = []
  await fakePeer(({ post, answer }) => {
    taken.push(...post.messages)
    answer()
  }, port)
  await one.publish('after')
  await until(() => expect(taken).toContainEqual(posted('after')))
})

test('posts no more to a peer that has closed, and flushes what it has for others first', async () => {
  const one = await replica({ peers: new ToldFinder() })
  const other = await replica({ peers: new ToldFinder({ address: one.address, ready: true }) })
  const published = NUMBERS.map((number) => other.publish(number))
  await other.driver.close()
  await Promise.allSettled(published)
  await until(() => expect(one.texts).toEqual(NUMBERS))
  expect(one.statuses).not.toContainEqual(gap)
  const begun = performance.now()
  await one.publish('alone')
  expect(performance.now() - begun).toBeLessThan(500)
})

test('flushes what it has for a peer that is slow before it closes', async () => {
  const taken: unknown[] = []
  const address = await fakePeer(({ post, answer }) => {
    taken.push(...post.messages.map(([, payload]) => payload))
    if (post.messages.length > 0) setTimeout(answer, 1_500)
    else answer()
  })
  const one = await replica({ peers: new ToldFinder({ address, ready: true }) })
  const underWay = one.publish('under way')
  await until(() => expect(taken).toHaveLength(1))
  const waiting = one.publish('waiting')
  await one.driver.close()
  await Promise.all([underWay, waiting])
  expect(taken).toHaveLength(2)
})

test('begins anew with a replica that starts where another was', async () => {
  const one = await replica({ peers: new ToldFinder() })
  const address = await fakePeer(({ answer }) => answer())
  await postTo(one.address, { sender: 'before', address, messages: [posted('1')] })
  await one.publish('x')
  await postTo(one.address, { sender: 'after', address, messages: [posted('2')] })
  expect(one.texts).toEqual(['1', 'x', '2'])
  expect(one.statuses).not.toContainEqual(gap)
})

test('takes what replicas tell each other about clients as a topic like any', async () => {
  const one = await replica({ peers: new ToldFinder() })
  const other = await replica({ peers: new ToldFinder({ address: one.address, ready: true }) })
  await one.driver.subscribe('asbru.control.x')
  await other.driver.publish({ topic: 'asbru.control.x', payload: new TextEncoder().encode('c') })
  await until(() => expect(one.texts).toEqual(['c']))
})
