import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import { SEND_PATH } from '@asbru/driver-kubernetes'
import { describe, expect, test } from 'vitest'
import { posted } from './support/fake-peer.ts'
import { type Replica, replica, ToldFinder, until } from './support/replica.ts'

const plain = JSON.stringify({ stream: 'news', msg: 'hello' })
const post = JSON.stringify({
  sender: 'a',
  namespace: 'test',
  joined: 0,
  first: 1,
  messages: [posted('hello')],
})

describe('with a secret', () => {
  test('replicas that share it hear each other', async () => {
    const one = await replica({ peers: new ToldFinder(), secret: 's' })
    const other = await replica({
      peers: new ToldFinder({ address: one.address, ready: true }),
      secret: 's',
    })
    await one.publish('hello')
    await until(() => expect(other.texts).toEqual(['hello']))
  })

  test.each([
    ['of another secret', sign('other', Date.now()), 401],
    ['of too long ago', sign('s', Date.now() - 31_000), 401],
    ['of the future', sign('s', Date.now() + 31_000), 401],
    ['of no shape', 'x', 401],
    ['none', undefined, 401],
    ['of now', sign('s', Date.now() - 1_000), 200],
  ])('a post with a signature %s: %s', async (_, signature, status) => {
    const one = await replica({ peers: new ToldFinder(), secret: 's' })
    expect(await send(one, post, signature)).toBe(status)
    expect(one.texts).toEqual(status === 200 ? ['hello'] : [])
  })

  test('a plain post needs the token of the API', async () => {
    const one = await replica({ peers: new ToldFinder(), secret: 's' })
    expect(await send(one, plain)).toBe(401)
    const other = await replica({ peers: new ToldFinder(), secret: 's' }, { hasToken: true })
    expect(await send(other, plain)).toBe(200)
    expect(other.texts).toEqual(['hello'])
  })

  test('the token alone makes no peer', async () => {
    const one = await replica({ peers: new ToldFinder(), secret: 's' }, { hasToken: true })
    expect(await send(one, post)).toBe(401)
  })
})

describe('without a secret', () => {
  test('a plain post is taken, for the readers of that replica', async () => {
    const one = await replica({ peers: new ToldFinder() })
    const other = await replica({ peers: new ToldFinder({ address: one.address, ready: true }) })
    expect(await send(one, plain)).toBe(200)
    await one.publish('after')
    await until(() => expect(other.texts).toEqual(['after']))
    expect(one.texts).toEqual(['hello', 'after'])
  })

  test.each([
    ['no JSON', '{', 400],
    ['no object', '1', 400],
    ['no texts', '{"stream":1}', 400],
    ['a topic that is none', '{"stream":"a..b","msg":""}', 422],
    ['more than a post may have', `"${'x'.repeat(17 * 1024 * 1024)}"`, 413],
  ])('refuses %s', async (_, body, status) => {
    const one = await replica({ peers: new ToldFinder() })
    expect(await send(one, body)).toBe(status)
    await one.publish('well')
    expect(one.texts).toEqual(['well'])
  })

  test('refuses what a web page can send', async () => {
    const one = await replica({ peers: new ToldFinder() })
    expect(await send(one, plain, undefined, { 'content-type': 'text/plain' })).toBe(403)
    expect(await send(one, plain, undefined, { origin: 'https://evil.example' })).toBe(403)
  })

  test('refuses posts of another deployment', async () => {
    const one = await replica({ peers: new ToldFinder() })
    expect(await send(one, post.replace('"test"', '"other"'))).toBe(503)
    expect(one.texts).toEqual([])
  })
})

function sign(secret: string, time: number): string {
  const digest = createHmac('sha256', secret).update(`${time}\n${SEND_PATH}\n${post}`).digest('hex')
  return `${time}.${digest}`
}

/** Resolves with the status of the answer. */
function send(
  { address }: Replica,
  body: string,
  signature?: string,
  headers: Record<string, string> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(`http://${address}${SEND_PATH}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(signature !== undefined && { 'asbru-signature': signature }),
        ...headers,
      },
    })
    sending.on('error', reject)
    sending.on('response', (response) => {
      sending.off('error', reject).on('error', () => {})
      response.resume()
      resolve(response.statusCode!)
    })
    sending.end(body)
  })
}
