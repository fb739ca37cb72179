import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { EventSource } from 'eventsource'
import { expect, onTestFinished, test } from 'vitest'
import { Asbru, post, serve } from './support/asbru.ts'

/** So many that the last of them is cut near the end of the drain. */
const MANY = 40

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends a relay with exit code 0', async (signal) => {
  const { asbru, events } = await serve(['--anonymous.topics', 'news', '--drain-ms', '10'])
  const response = await fetch(`${events}?topic=news`)
  asbru.signal(signal)
  expect(await response.text()).toContain('data: {"closing":{"reason":"shutdown"}}')
  expect(await asbru.ended).toMatchObject({ code: 0, signal: null })
})

test('a stopping relay is not ready, and sends who comes elsewhere', async () => {
  const { asbru, internal, events } = await serve([
    '--anonymous.topics',
    'news',
    '--drain-ms',
    '4000',
  ])
  const open = await Promise.all(Array.from({ length: MANY }, () => fetch(`${events}?topic=news`)))
  asbru.signal('SIGTERM')
  await asbru.says('stderr', /stopping/)
  const ready = await fetch(`${internal}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ ready: false, closing: true })
  expect((await fetch(`${internal}/healthz`)).status).toBe(200)
  const response = await fetch(`${events}?topic=news`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(await response.text()).toMatch(
    /^retry: \d+\ndata: \{"closing":\{"reason":"shutdown"\}\}\n\n$/,
  )
  for (const stream of await Promise.all(open.map((one) => one.text()))) {
    expect(stream).toMatch(/retry: \d+\ndata: \{"closing":\{"reason":"shutdown"\}\}\n\n$/)
  }
  expect((await asbru.ended).code).toBe(0)
})

test('the same EventSource goes on at the relay that takes the place of a stopped one', async () => {
  const args = ['--anonymous.topics', 'news', '--retry-ms', '100', '--drain-ms', '500']
  const first = await serve(args)
  const source = new EventSource(`${first.events}?topic=news`)
  onTestFinished(() => source.close())
  const got: string[] = []
  const waiting = new Set<() => void>()
  const note = ({ data }: { data: string }): void => {
    got.push(data)
    for (const wake of waiting) wake()
  }
  source.addEventListener('message', note)
  source.addEventListener('news', note)
  const until = async (text: string): Promise<void> => {
    while (!got.some((data) => data.includes(text))) {
      await new Promise<void>((resolve) => waiting.add(resolve))
    }
  }
  await until('"config"')
  await post(`${first.api}/topics/news/messages`, 'before')
  await until('before')
  first.asbru.signal('SIGTERM')
  expect((await first.asbru.ended).code).toBe(0)
  await until('{"closing":{"reason":"shutdown"}}')
  await expect.poll(() => source.readyState).toBe(EventSource.CONNECTING)

  const second = await serve([...args, '--port', new URL(first.events).port])
  // It says so: the memory of the first is gone with it.
  await until('{"gap":{"reason":"replica-started"}}')
  await post(`${second.api}/topics/news/messages`, 'after')
  await until('after')
  expect(source.readyState).toBe(EventSource.OPEN)
})

test('a second signal ends a relay at once, with exit code 1', async () => {
  const { asbru, events } = await serve(['--anonymous.topics', 'news', '--drain-ms', '600000'])
  const open = await Promise.all(Array.from({ length: MANY }, () => fetch(`${events}?topic=news`)))
  asbru.signal('SIGTERM')
  await asbru.says('stderr', /stopping/)
  const signalAgain = (): boolean => {
    asbru.signal('SIGTERM')
    return asbru.running
  }
  await expect.poll(signalAgain, { timeout: 20_000 }).toBe(false)
  expect((await asbru.ended).code).toBe(1)
  await Promise.all(open.map((one) => one.body!.cancel().catch(() => {})))
})

test('one Ctrl-C that arrives twice, by way of npm, still drains', async () => {
  const { asbru, events } = await serve(['--anonymous.topics', 'news', '--drain-ms', '1000'])
  const open = await Promise.all(Array.from({ length: MANY }, () => fetch(`${events}?topic=news`)))
  asbru.signal('SIGINT')
  asbru.signal('SIGTERM')
  for (const stream of await Promise.all(open.map((one) => one.text()))) {
    expect(stream).toContain('{"closing":{"reason":"shutdown"}}')
  }
  expect((await asbru.ended).code).toBe(0)
})

test.each(['--port', '--internal-port'])('a taken %s is exit code 1, and said', async (flag) => {
  const holder = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void holder.close())
  await new Promise((resolve) => holder.once('listening', resolve))
  const { port } = holder.address() as AddressInfo
  const asbru = new Asbru(['serve', '--port', '0', '--internal-port', '0', flag, String(port)])
  const { code, stdout, stderr } = await asbru.ended
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`port ${port} on 127.0.0.1 is taken; choose another with ${flag}\n`)
})

test.each([
  ['uncaughtException', "process.on('SIGUSR2', () => { throw new Error('boom') })"],
  ['unhandledRejection', "process.on('SIGUSR2', () => { Promise.reject(new Error('boom')) })"],
])('an %s is logged and ends a relay with exit code 1', async (name, fault) => {
  const preload = `data:text/javascript,${encodeURIComponent(fault)}`
  const { asbru } = await serve([], { nodeArgs: ['--import', preload] })
  asbru.signal('SIGUSR2')
  const { code, stderr } = await asbru.ended
  expect(code).toBe(1)
  const last = JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as object
  expect(last).toMatchObject({ level: 'error', msg: name, err: { message: 'boom' } })
})
