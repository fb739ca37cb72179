import { EventSource } from 'eventsource'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { serve, type ServingAsbru } from '../../packages/server/test/support/asbru.ts'
import { examples } from './compose-example.ts'
import { debianProgram } from './debian-program.ts'
import { startProxy } from './start-proxy.ts'

const page = readFileSync(join(examples, '../docs/behind-a-proxy.md'), 'utf8')

beforeAll(async () => {
  // The first use on a machine unpacks them.
  await debianProgram('nginx')
  await debianProgram('haproxy')
}, 300_000)

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
