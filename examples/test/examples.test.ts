import { EventSource } from 'eventsource'
import { readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { type RunningExample, startExample } from './start-example.ts'

const running: { stop(): unknown }[] = []

afterEach(async () => {
  for (const each of running.splice(0).toReversed()) await each.stop()
})

test('hono-auth: a login makes the client, and its stream gets the orders of that user only', async () => {
  const { url } = await start('hono-auth/src/main.ts')
  expect((await logIn(url, 'login', 'ada', 'guess')).status).toBe(401)
  const ada = await logIn(url, 'login', 'ada', 'difference')
  const grace = await logIn(url, 'login', 'grace', 'nanosecond')
  const adaStream = listen(new URL(ada.events, url), ['orders.ada', 'orders.grace'])
  const graceStream = listen(new URL(grace.events, url), ['orders.ada', 'orders.grace'])
  expect(JSON.parse(await adaStream.next('message'))).toMatchObject({
    subscriptions: ['news', 'orders.ada'],
  })
  await graceStream.next('message')
  expect((await fetch(new URL('orders', url), { method: 'POST', body: 'A book' })).status).toBe(401)
  await fetch(new URL('orders', url), {
    method: 'POST',
    body: 'A book',
    headers: { cookie: ada.cookie },
  })
  await fetch(new URL('orders', url), {
    method: 'POST',
    body: 'A pen',
    headers: { cookie: grace.cookie },
  })
  expect(JSON.parse(await adaStream.next('orders.ada'))).toEqual({ item: 'A book', status: 'paid' })
  expect(JSON.parse(await graceStream.next('orders.grace'))).toEqual({
    item: 'A pen',
    status: 'paid',
  })
})

test('hono-auth: the id may travel in a cookie that scripts cannot read', async () => {
  const { url } = await start('hono-auth/src/main.ts')
  const { events, cookie } = await logIn(url, 'cookie/login', 'ada', 'difference')
  expect(events).toBe('/cookie/events')
  const stranger = await fetch(new URL(events, url))
  expect(stranger.status).toBe(400)
  expect(await stranger.json()).toMatchObject({ code: 'client-id-required' })
  const stream = listen(new URL(events, url), ['orders.ada'], { cookie })
  await stream.next('message')
  await fetch(new URL('orders', url), { method: 'POST', body: 'A book', headers: { cookie } })
  expect(JSON.parse(await stream.next('orders.ada'))).toMatchObject({ item: 'A book' })
})

test('hono-auth: a logout ends the streams of that user', async () => {
  const { url } = await start('hono-auth/src/main.ts')
  const { events, cookie } = await logIn(url, 'login', 'ada', 'difference')
  const stream = listen(new URL(events, url), [])
  await stream.next('message')
  await fetch(new URL('logout', url), { method: 'POST', headers: { cookie } })
  expect(JSON.parse(await stream.next('message'))).toEqual({ closing: { reason: 'removed' } })
  expect((await fetch(new URL(events, url))).status).toBe(404)
})

test('express-mount: Express serves the stream and publishes to it', async () => {
  const { url } = await start('express-mount/src/main.ts')
  const { events } = (await (await fetch(new URL('login', url), { method: 'POST' })).json()) as {
    events: string
  }
  const stream = listen(new URL(events, url), ['time'])
  expect(JSON.parse(await stream.next('message'))).toMatchObject({
    config: { client_ttl_millis: 30_000 },
  })
  const published = await fetch(new URL('messages/time', url), { method: 'POST', body: 'now' })
  expect(published.status).toBe(202)
  expect(await stream.next('time')).toBe('now')
  const refused = await fetch(new URL('messages/asbru.secret', url), { method: 'POST', body: 'x' })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ code: 'invalid-topic' })
})

test('express-mount: a server of node:http alone serves the stream', async () => {
  const { url } = await start('express-mount/src/node-http.ts')
  const { headers } = await fetch(url, { redirect: 'manual' })
  const stream = listen(new URL(headers.get('location')!, url), ['time'])
  await stream.next('message')
  expect(Date.parse(await stream.next('time'))).toBeGreaterThan(0)
})

test('petstore: an address is a namespace, and gets what is published below it', async () => {
  const { url } = await start('petstore/src/main.ts')
  const pets = listen(new URL('subscribe/pets', url), ['new-dog', 'new-cat', 'sale'])
  const dogs = listen(new URL('subscribe/pets/dogs', url), ['new-dog', 'new-cat', 'sale'])
  await pets.next('message')
  await dogs.next('message')
  const publish = (path: string, body: string): Promise<Response> =>
    fetch(new URL(`publish/${path}`, url), { method: 'POST', body })
  await publish('petstore/offers?event=sale', 'half price')
  await publish('pets/cats?event=new-cat', 'Persian')
  await publish('pets/dogs?event=new-dog', 'Corgi')
  await publish('pets/dogs', 'a dog without an event name')
  expect(await pets.next('new-cat')).toBe('Persian')
  expect(await pets.next('new-dog')).toBe('Corgi')
  expect(await dogs.next('new-dog')).toBe('Corgi')
  expect(await dogs.next('message')).toBe('a dog without an event name')
  expect(await pets.next('message')).toBe('a dog without an event name')
  expect(dogs.seen()).toEqual(['message', 'new-dog', 'message'])
  expect(pets.seen()).toEqual(['message', 'new-cat', 'new-dog', 'message'])
  expect((await fetch(new URL('subscribe/accounts', url))).status).toBe(403)
})

test('quick-start: the code in the README is the example, and works', async () => {
  const [, snippet] = /```ts\n([^]*?)```/.exec(await read('README.md')) ?? []
  expect(snippet).toBe(await read('examples/quick-start/src/main.ts'))
  const { url } = await start('quick-start/src/main.ts')
  expect(await (await fetch(url)).text()).toContain('<h1>News</h1>')
  const { events } = (await (await fetch(new URL('login', url), { method: 'POST' })).json()) as {
    events: string
  }
  const stream = listen(new URL(events, url), ['news'])
  const body = JSON.stringify({ title: 'Hello' })
  expect((await fetch(new URL('news', url), { method: 'POST', body })).status).toBe(202)
  expect(JSON.parse(await stream.next('news'))).toEqual({ title: 'Hello' })
})

test('every example ends in order when it is asked to', async () => {
  for (const path of ['hono-auth', 'express-mount', 'petstore']) {
    expect(await (await startExample(`${path}/src/main.ts`)).stop()).toBe(0)
  }
})

function read(path: string): Promise<string> {
  return readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
}

async function start(path: string): Promise<RunningExample> {
  const example = await startExample(path)
  running.push(example)
  return example
}

async function logIn(
  url: string,
  path: string,
  user: string,
  password: string,
): Promise<{ status: number; events: string; cookie: string }> {
  const answer = await fetch(new URL(path, url), {
    method: 'POST',
    body: JSON.stringify({ user, password }),
  })
  const { events = '' } = (await answer.json()) as { events?: string }
  const cookie = answer.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ')
  return { status: answer.status, events, cookie }
}

/** An EventSource whose events are waited for in their order. */
function listen(
  url: URL,
  names: readonly string[],
  headers: Record<string, string> = {},
): { next(name: string): Promise<string>; seen(): string[] } {
  const arrived: { name: string; data: string }[] = []
  const seen: string[] = []
  let wake: (() => void) | undefined
  const source = new EventSource(url, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  })
  running.push({ stop: () => source.close() })
  for (const name of ['message', ...names]) {
    source.addEventListener(name, ({ data }) => {
      arrived.push({ name, data: data as string })
      seen.push(name)
      wake?.()
    })
  }
  return {
    async next(name) {
      for (;;) {
        const at = arrived.findIndex((event) => event.name === name)
        if (at >= 0) return arrived.splice(at, 1)[0]!.data
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    seen: () => [...seen],
  }
}
