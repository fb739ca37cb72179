import { EventSource } from 'eventsource'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { serve, type ServingAsbru } from '../../packages/server/test/support/asbru.ts'
import { examples } from './compose-example.ts'
import { provideProxy, proxyNames, type ProxySite, startProxy } from './start-proxy.ts'

const page = readFileSync(join(examples, '../docs/behind-a-proxy.md'), 'utf8')

beforeAll(async () => {
  for (const name of proxyNames) await provideProxy(name)
}, 1_200_000)

test('events pass the nginx of the page at once', async () => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const port = await startProxy('nginx', (site) => {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const own = paths.map((name) => `${name}_temp_path ${site.dir}/${name};`).join('\n')
    const server = `server {\nlisten 127.0.0.1:${site.port};\n${snippet('nginx', relay)}}`
    return `pid ${site.dir}/pid;\nevents {}\nhttp {\naccess_log off;\n${own}\n${server}\n}\n`
  })
  await expectEvents(relay, port)
})

test('events pass the HAProxy of the page at once', async () => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const port = await startProxy('haproxy', (site) =>
    snippet('haproxy', relay).replace('bind :80', `bind 127.0.0.1:${site.port}`),
  )
  await expectEvents(relay, port)
})

/** Compression, which most sites have, must not hold events back either. */
test.each(['', 'encode'])('events pass the Caddy of the page at once: %s', async (more) => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const port = await startProxy('caddy', (site) => {
    const own = ['admin off', 'persist_config off', 'default_bind 127.0.0.1', 'grace_period 1s']
    const there = `http://127.0.0.1:${site.port} {\n${more}`
    const text = snippet('caddyfile', relay).replace('example.com {', there)
    return `{\n${own.join('\n')}\nlog {\nlevel ERROR\n}\n}\n${text}`
  })
  await expectEvents(relay, port)
  const headers = { 'accept-encoding': 'gzip' }
  const answer = await fetch(`http://127.0.0.1:${port}/events?topic=news`, { headers })
  expect(answer.headers.get('content-encoding')).toBe(null)
  await answer.body!.cancel()
})

test('events pass the Envoy of the page at once', async () => {
  const relay = await serve(['--anonymous.topics', 'news'])
  const route = parse(snippet('yaml', relay)) as object
  const port = await startProxy('envoy', (site) => stringify(envoyOf(site, route, relay)))
  await expectEvents(relay, port)
})

/** What Envoy needs besides a route. */
function envoyOf({ port }: ProxySite, route: object, { events }: ServingAsbru): object {
  const manager = filterOf('network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'public',
    route_config: { virtual_hosts: [{ name: 'site', domains: ['*'], routes: [route] }] },
    http_filters: [filterOf('http.router.v3.Router', {})],
  })
  const endpoint = socketAt(Number(new URL(events).port))
  return {
    static_resources: {
      listeners: [{ ...socketAt(port), filter_chains: [{ filters: [manager] }] }],
      clusters: [
        {
          name: 'relays',
          load_assignment: {
            cluster_name: 'relays',
            endpoints: [{ lb_endpoints: [{ endpoint }] }],
          },
        },
      ],
    },
  }
}

function filterOf(type: string, config: object): object {
  const url = `type.googleapis.com/envoy.extensions.filters.${type}`
  return { name: type, typed_config: { '@type': url, ...config } }
}

function socketAt(port: number): object {
  return { address: { socket_address: { address: '127.0.0.1', port_value: port } } }
}

function snippet(language: string, { events }: ServingAsbru): string {
  const [, text] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(page)!
  return text!.replace('127.0.0.1:8080', new URL(events).host)
}

/** No second event follows the first, which a buffer would wait for. */
async function expectEvents({ api }: ServingAsbru, port: number): Promise<void> {
  const source = new EventSource(`http://127.0.0.1:${port}/events?topic=news`)
  onTestFinished(() => source.close())
  await once(source, 'message')
  const news = once(source, 'news')
  await fetch(`${api}/topics/news/messages`, { method: 'POST', body: 'hello' })
  const [event] = (await news) as [MessageEvent]
  expect(event.data).toBe('hello')
}
