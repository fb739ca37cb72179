import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import packageJson from '../package.json' with { type: 'json' }
import { Asbru, post, run, serve, type ServingAsbru } from './support/asbru.ts'
import { cuttableProxy } from './support/cuttable-proxy.ts'
import { temporaryFile } from './support/temporary-file.ts'

describe('asbru listen and asbru publish', () => {
  test('print each event as one line of JSON, whatever its name is', async () => {
    const relay = await serve()
    const listener = await listening(relay, ['news', 'pets.**'])
    const publish = (...args: string[]): ReturnType<typeof run> =>
      run(['publish', '--api', relay.api, ...args])
    expect(JSON.parse((await publish('news', 'Hello', '--id', 'id-1')).stdout)).toEqual({
      id: 'id-1',
    })
    expect((await publish('pets.dogs', '{"n":1}')).code).toBe(0)
    expect((await publish('pets', 'wuff', '--event', 'bellen ü 🐕')).code).toBe(0)
    expect((await publish('other', 'not for us')).code).toBe(0)
    expect((await publish('news', 'two\nlines')).code).toBe(0)
    const cursor = expect.stringMatching(/^[A-Za-z0-9_.:~-]+$/) as unknown
    expect(await listener.lines(4)).toEqual([
      { id: cursor, event: 'news', data: 'Hello' },
      { id: cursor, event: 'pets.**', data: '{"n":1}' },
      { id: cursor, event: 'bellen ü 🐕', data: 'wuff' },
      { id: cursor, event: 'news', data: 'two\nlines' },
    ])
  })

  test('takes the data from stdin, byte for byte', async () => {
    const relay = await serve()
    const listener = await listening(relay, ['news'])
    await run(['publish', '--api', relay.api, 'news', '-'], { stdin: 'from – stdin' })
    await run(['publish', '--api', relay.api, 'news'], { stdin: '{"without": "a dash"}\n' })
    expect(await listener.lines(2)).toMatchObject([
      { data: 'from – stdin' },
      { data: '{"without": "a dash"}\n' },
    ])
  })

  test('prints events without a name, and info messages on stderr only', async () => {
    const relay = await serve(['--event-names', 'publisher', '--max-payload-bytes', '1000'])
    const listener = await listening(relay, ['news'])
    await run(['publish', '--api', relay.api, 'news', '{"subscriptions":["not an info message"]}'])
    const [line] = await listener.lines(1)
    expect(line).toEqual({
      id: expect.any(String) as unknown,
      data: '{"subscriptions":["not an info message"]}',
    })
  })

  test('resumes where it was when its connection is cut', async () => {
    const relay = await serve(['--retry-ms', '50'])
    const proxy = await cuttableProxy(relay.events)
    const listener = await listening({ ...relay, events: proxy.url }, ['news'])
    const publish = (data: string): Promise<unknown> =>
      post(`${relay.api}/topics/news/messages`, data)
    await publish('one')
    await listener.lines(1)
    proxy.cut()
    await publish('two')
    await publish('three')
    expect(await listener.lines(3)).toMatchObject([
      { data: '"one"' },
      { data: '"two"' },
      { data: '"three"' },
    ])
  })

  test('ends with exit code 1 when its client is no more', async () => {
    const relay = await serve(['--retry-ms', '50', '--drain-ms', '0'])
    const listener = await listening(relay, ['news'])
    relay.asbru.signal('SIGTERM')
    await relay.asbru.ended
    // The client went with the first relay.
    await serve(['--port', new URL(relay.events).port])
    const { code, stderr } = await listener.ended
    expect(code).toBe(1)
    expect(stderr).toContain('{"closing":{"reason":"shutdown"}}\n')
    expect(stderr).toContain('(client-not-found)')
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('removes its client at %s', async (signal) => {
    const relay = await serve()
    const listener = await listening(relay, ['news'])
    listener.signal(signal)
    expect((await listener.ended).code).toBe(0)
    expect(await statusOf(relay)).toMatchObject({ clients: 0, connections: 0 })
  })

  test('removes its client when nobody reads its lines any more', async () => {
    const relay = await serve()
    const listener = await listening(relay, ['news'])
    listener.closeStdout()
    await post(`${relay.api}/topics/news/messages`, 'one')
    expect((await listener.ended).code).toBe(0)
    expect(await statusOf(relay)).toMatchObject({ clients: 0, connections: 0 })
  })

  test('a refusal is exit code 1, with the detail of the problem', async () => {
    const { api, events } = await serve()
    for (const args of [
      ['publish', 'a..b', 'x'],
      ['listen', 'a..b', '--events', events],
    ]) {
      const { code, stdout, stderr } = await run([...args, '--api', api])
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain('"a..b" has an empty segment. (invalid-topic)\n')
    }
  })

  test('a relay that cannot be reached is exit code 1, and said', async () => {
    const { asbru, api } = await serve()
    asbru.signal('SIGTERM')
    await asbru.ended
    for (const args of [['publish', 'news', 'x'], ['listen', 'news'], ['status']]) {
      const { code, stderr } = await run([...args, '--api', api])
      expect(code).toBe(1)
      expect(stderr).toMatch(/^cannot reach http:\/\/127\.0\.0\.1:\d+\/v1\/\S*: .*ECONNREFUSED/)
    }
  })

  test('give the token that the relay asks for', async () => {
    const { api } = await serve(['--api-token', 'let-me-in'])
    expect(await run(['status', '--api', api])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(unauthorized)') as string,
    })
    const publish = ['publish', 'news', 'x', '--api', api]
    expect((await run([...publish, '--token', 'let-me-in'])).code).toBe(0)
    expect((await run(publish, { env: { ASBRU_API_TOKEN: 'let-me-in' } })).code).toBe(0)
  })
})

test('asbru status prints how a relay is doing', async () => {
  const relay = await serve()
  await post(`${relay.api}/clients`, {})
  const { code, stdout } = await run(['status', '--api', relay.api])
  expect(code).toBe(0)
  expect(stdout).toContain('\n  "clients": 1,\n')
  expect(JSON.parse(stdout)).toMatchObject({ driver: { name: 'memory', state: 'connected' } })
})

describe('asbru config', () => {
  test('prints the configuration in effect, with secrets masked', async () => {
    const file = temporaryFile('asbru.yaml', 'apiToken: hunter2\nretryMs: 3000\nport: 1')
    const { code, stdout } = await run(['config', '--config', file, '--port', '3'], {
      env: { ASBRU_PORT: '2', ASBRU_DRAIN_MS: '7' },
    })
    expect(code).toBe(0)
    expect(stdout).not.toContain('hunter2')
    expect(parse(stdout)).toMatchObject({
      port: 3,
      drainMs: 7,
      retryMs: 3000,
      internalPort: 7070,
      apiToken: '********',
      driver: { name: 'memory' },
    })
  })

  test('takes --url for --driver.url', async () => {
    const args = ['config', '--driver', 'nats', '--url', 'nats://127.0.0.1:4333']
    const { code, stdout } = await run(args)
    expect(code).toBe(0)
    expect(stdout).toContain('driver:\n  name: nats\n  url: nats://127.0.0.1:4333\n')
  })

  test('reads the file that ASBRU_CONFIG names', async () => {
    const file = temporaryFile('asbru.yaml', 'retryMs: 3000')
    const { stdout, stderr } = await run(['config'], { env: { ASBRU_CONFIG: file, ASBRU_X: '1' } })
    expect(parse(stdout)).toMatchObject({ retryMs: 3000 })
    expect(stderr).toBe('warning: ASBRU_X in the environment sets no option\n')
  })
})

describe('bad options', () => {
  test.each([
    [
      'a file that is not there',
      ['serve', '--config', '/nowhere/asbru.yaml'],
      '/nowhere/asbru.yaml: cannot be read: ENOENT',
    ],
    ['a directory for a file', ['serve', '--config', '/'], '/: cannot be read: EISDIR'],
    ['a wrong type', ['serve', '--port', 'x'], 'port: expected number, received string (--port)'],
    ['an unknown flag', ['serve', '--prot', '1'], "unknown option '--prot'"],
    ['an unknown nested flag', ['serve', '--driver.ulr', 'x'], "unknown option '--driver.ulr'"],
    ['a flag without its value', ['serve', '--port'], "'--port <number>' argument missing"],
    ['an argument too many', ['serve', 'now'], 'too many arguments'],
    [
      'any origin with credentials',
      ['serve', '--cors.origins', '*', '--cors.credentials'],
      'cors.origins: has * while cors.credentials is on',
    ],
    ['an unknown driver', ['config', '--driver', 'pigeon'], 'driver.name: expected one of: memory'],
    ['an unknown command', ['srve'], "unknown command 'srve'"],
    ['no command', [], 'Usage: asbru'],
    ['no topic', ['publish'], "missing required argument 'topic'"],
    [
      'a demo port that is none',
      ['demo', '--port', 'x'],
      'port: expected a number from 0 to 65535 (--port)',
    ],
  ])('%s is exit code 2, and said on stderr', async (_, args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  test('a file that is no YAML is exit code 2, and named', async () => {
    const file = temporaryFile('asbru.yaml', 'port: [')
    const { code, stderr } = await run(['serve', '--config', file])
    expect(code).toBe(2)
    expect(stderr).toContain(`${file}: `)
  })
})

test('--help lists every flag with its default, and --version prints the version', async () => {
  const help = await run(['serve', '--help'])
  expect(help.code).toBe(0)
  expect(help.stdout).toContain('--internal-port <number>')
  expect(help.stdout).toContain('(default: 7070)')
  expect(help.stdout).toContain('--event-names <topic|publisher>')
  const version = await run(['--version'])
  expect(version).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` })
})

/** Starts `asbru listen` and resolves once its connection is open. */
async function listening(relay: ServingAsbru, topics: string[]): Promise<Asbru> {
  const listener = new Asbru(['listen', '--api', relay.api, '--events', relay.events, ...topics])
  await expect.poll(() => statusOf(relay), { timeout: 20_000 }).toMatchObject({ connections: 1 })
  return listener
}

async function statusOf({ api }: ServingAsbru): Promise<unknown> {
  return (await fetch(`${api}/status`)).json()
}
