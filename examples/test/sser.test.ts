import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { localhostPeers, Sser } from '../sser/src/sser.ts'
import { startExample } from './start-example.ts'

/** A pod with a frontend. */
interface SserPod {
  readonly sser: Sser
  readonly frontend: string
}

test('sser: Send reaches the clients of the stream on all pods', async () => {
  const pods = await threePods()
  const foo = await Promise.all(pods.map(({ frontend }) => listen(`${frontend}/events?stream=foo`)))
  const bar = await listen(`${pods[1].frontend}/events?stream=bar`)
  for (const [i, { sser }] of pods.entries()) await sser.send('foo', `from ${i}`)
  await pods[0].sser.send('bar', 'other')
  for (const got of foo)
    await vi.waitFor(() => expect(got.toSorted()).toEqual(['from 0', 'from 1', 'from 2']))
  await vi.waitFor(() => expect(bar).toEqual(['other']))
})

test('sser: a program that posts to every pod as sser did is heard by their clients', async () => {
  const pods = await threePods()
  const clients = await Promise.all(
    pods.map(({ frontend }) => listen(`${frontend}/events?stream=foo`)),
  )
  for (const { sser } of pods) {
    const { status } = await fetch(`http://127.0.0.1:${sser.internalPort}/api/json/v1/send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stream: 'foo', msg: 'my message' }),
    })
    expect(status).toBe(200)
  }
  for (const got of clients) await vi.waitFor(() => expect(got).toEqual(['my message']))
})

test('sser: refuses a client without a stream, and the empty message', async () => {
  const [{ sser, frontend }] = await threePods()
  const refused = await fetch(`${frontend}/events`)
  expect(refused.status).toBe(400)
  expect(await refused.text()).toBe('A stream name must be supplied')
  await expect(sser.send('foo', '')).rejects.toThrow('the empty string')
})

test('sser: the example sends the time, and ends in order', async () => {
  const example = await startExample('sser/src/main.ts')
  const got = await listen(new URL('events?stream=time', example.url).href)
  await vi.waitFor(() => expect(got.length).toBeGreaterThan(0), 5_000)
  expect(Date.parse(got[0]!)).toBeGreaterThan(0)
  expect(await example.stop()).toBe(0)
})

async function threePods(): Promise<[SserPod, SserPod, SserPod]> {
  const first = await pod()
  const seed = first.sser.internalPort
  return [first, await pod(seed), await pod(seed)]
}

async function pod(...seeds: readonly number[]): Promise<SserPod> {
  const sser = new Sser(0, localhostPeers(...seeds))
  await sser.start()
  const server = createServer(sser.clientConnectionHandler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await sser.close()
  })
  return { sser, frontend: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** What the `onmessage` of an EventSource gets, but for what the relay itself says. */
async function listen(url: string): Promise<string[]> {
  const got: string[] = []
  const source = new EventSource(url)
  onTestFinished(() => source.close())
  await new Promise((resolve, reject) => {
    source.addEventListener('error', reject)
    source.addEventListener('message', ({ data }) => {
      if ((data as string).startsWith('{"config"')) resolve(undefined)
      else got.push(data as string)
    })
  })
  return got
}
