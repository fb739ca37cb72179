import { type Broker, selectedBrokers, startBroker } from '@asbru/brokers'
import { EventSource } from 'eventsource'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { configKeys } from '../../packages/server/src/config/keys.ts'
import { post, run, serve, type ServingAsbru } from '../../packages/server/test/support/asbru.ts'
import { stagesOf } from '../../scripts/test/support/dockerfile.ts'
import { commandsOf, environmentOf, examples, servicesOf } from './compose-example.ts'
import { checkHaproxy, haproxyConfig, startLoadBalancer } from './load-balancer.ts'

const [publisher] = stagesOf(readFileSync(join(examples, 'compose/publisher.Dockerfile'), 'utf8'))
const drivers = configKeys.find(({ path }) => path === 'driver.name')!.choices
const timeout = 30_000
/** What a README has before arguments of the relay's command. */
const EXEC = 'docker compose exec relay-1 asbru '

beforeAll(async () => {
  // The first use on a machine unpacks it.
  await checkHaproxy(haproxyConfig)
}, 300_000)

test('HAProxy takes the configuration of the load balancer as it is, while no relay is there', async () => {
  expect(await checkHaproxy(haproxyConfig)).toContain('Configuration file is valid')
  await expect(checkHaproxy(join(examples, 'compose/services.yml'))).rejects.toThrow('services.yml')
})

describe.each(selectedBrokers().filter((name) => drivers.includes(name)))('%s-compose', (name) => {
  let broker: Broker

  beforeAll(async () => {
    broker = await startBroker(name)
  }, 600_000)

  afterAll(() => broker.stop())

  test('clients of each relay get what the publisher publishes', { timeout }, async () => {
    const relays = await startRelays(broker)
    const clients = await Promise.all(
      relays.map(({ events }) => listen(new URL('?topic=orders.**', events))),
    )
    publish(broker)
    for (const { numbers, first } of clients) {
      await first(4)
      expect(numbers.slice(0, 4)).toEqual([1, 2, 3, 4])
    }
  })

  test(
    'clients of the load balancer go on where they were when a relay is killed',
    { timeout },
    async () => {
      const [one, other] = await startRelays(broker)
      const origin = await balance(one, other)
      const clients = await Promise.all(
        [1, 2].map(() => listen(new URL('/events?topic=orders.**', origin))),
      )
      // One on each, whichever is whose.
      expect(await Promise.all([one, other].map(connections))).toEqual([1, 1])
      publish(broker)
      for (const { first } of clients) await first(2)
      one.asbru.signal('SIGKILL')
      for (const { numbers, gaps, until } of clients) {
        await until(8)
        expect(gaps).toEqual([])
        expect(repeatsAway(numbers, name)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      }
      expect(await connections(other)).toBe(2)
    },
  )

  test(
    'a client that one relay made connects to the other, and outlives the first',
    { timeout },
    async () => {
      const [one, other] = await startRelays(broker)
      const { id } = await post(`${one.api}/clients`, { topics: ['orders.**'] })
      const { numbers, until } = await listen(new URL(`?id=${id}`, other.events))
      one.asbru.signal('SIGKILL')
      publish(broker)
      await until(4)
      expect(repeatsAway(numbers, name)).toEqual([1, 2, 3, 4])
    },
  )

  test.each(commandsOf(name, 'curl'))('%s prints orders', { timeout }, async (line) => {
    const origin = await balance(...(await startRelays(broker)))
    publish(broker)
    const [, url] = /'(http.*)'$/.exec(line)!
    const command = line.replace('http://127.0.0.1:8080', origin)
    expect(new URL(url!).pathname).toBe('/events')
    const curl = spawn('/bin/sh', ['-c', `exec ${command} --silent`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void curl.kill('SIGKILL'))
    let output = ''
    for await (const text of curl.stdout.setEncoding('utf8')) {
      output += text as string
      if (/^event: order\ndata: \{"number":\d+,"topic":"orders.eu"\}$/m.test(output)) return
    }
    expect.unreachable(`curl ended after ${output}`)
  })

  test.each(commandsOf(name, EXEC))(
    '%s reaches a client of the other relay',
    { timeout },
    async (line) => {
      const [one, other] = await startRelays(broker)
      const { numbers, first } = await listen(new URL('?topic=orders.**', other.events))
      const { code, stderr } = await run([...wordsOf(line.slice(EXEC.length)), '--api', one.api])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      await first(1)
      expect(numbers).toEqual([0])
    },
  )
})

/** Both relays, with the configuration of the example and ports that are free. */
async function startRelays(broker: Broker): Promise<[ServingAsbru, ServingAsbru]> {
  const services = servicesOf(broker.name)
  const start = (name: string): Promise<ServingAsbru> =>
    serve([], { env: environmentOf(services[name]!, broker) })
  return Promise.all([start('relay-1'), start('relay-2')])
}

function balance(one: ServingAsbru, other: ServingAsbru): Promise<string> {
  return startLoadBalancer({ 'relay-1': new URL(one.events), 'relay-2': new URL(other.events) })
}

async function connections({ internal }: ServingAsbru): Promise<number> {
  const status = (await (await fetch(`${internal}/v1/status`)).json()) as { connections: number }
  return status.connections
}

/** Runs the publisher of the example as its image does, until the test is over. */
function publish(broker: Broker): void {
  const { environment } = {
    environment: environmentOf(servicesOf(broker.name)['publisher']!, broker),
  }
  const [command, ...args] = publisher!.list('CMD')
  const child = spawn(command!, args, {
    cwd: join(examples, `${broker.name}-compose`),
    env: { ...environment, PATH: dirname(process.execPath) + delimiter + process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
    // Nothing but the signal ended it.
    expect(child.exitCode).toBeNull()
  })
}

/** What came, up to the last new one; each once where the broker has no positions, so that some may come again. */
function repeatsAway(numbers: readonly number[], broker: Broker['name']): number[] {
  return broker === 'gcp-pubsub' ? [...new Set(numbers)] : [...numbers]
}

/** An EventSource that collects orders, once it is connected. */
async function listen(url: URL): Promise<{
  /** Numbers of the orders that came. */
  readonly numbers: readonly number[]
  readonly gaps: readonly unknown[]
  /** Resolves when so many orders came. */
  readonly first: (count: number) => Promise<void>
  /** Resolves when the order of that number came. */
  readonly until: (number: number) => Promise<void>
}> {
  const numbers: number[] = []
  const gaps: unknown[] = []
  let wake: (() => void) | undefined
  const source = new EventSource(url)
  onTestFinished(() => source.close())
  source.addEventListener('order', ({ data }) => {
    numbers.push((JSON.parse(data as string) as { number: number }).number)
    wake?.()
  })
  source.addEventListener('message', ({ data }) => {
    const message = JSON.parse(data as string) as { gap?: unknown }
    if (message.gap !== undefined) gaps.push(message.gap)
  })
  await once(source as unknown as EventTarget, 'message')
  const first = async (count: number): Promise<void> => {
    while (numbers.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  const until = async (number: number): Promise<void> => {
    while (!numbers.includes(number)) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { numbers, gaps, first, until }
}

/** A command line's words, as a shell divides them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
}
