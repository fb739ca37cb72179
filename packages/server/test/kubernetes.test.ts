import { EventSource } from 'eventsource'
import { expect, onTestFinished, test, vi } from 'vitest'
import { post, run, serve, type ServingAsbru } from './support/asbru.ts'

const TOPIC = 'orders.42'
const driver = ['--driver', 'kubernetes', '--driver.secret', 's']

test('relays that know one of them give what each is asked to publish to the clients of all', async () => {
  const first = await serve([...driver, '--driver.peers', '127.0.0.1:1'])
  const seed = new URL(first.internal).host
  const others = [await relay(seed), await relay(seed)]
  const all = [first, ...others]
  const clients = await Promise.all(all.map(client))
  for (const { api } of all) await post(`${api}/topics/${TOPIC}/messages`, { from: api })
  const published = all.map(({ api }) => `{"from":"${api}"}`).toSorted()
  for (const each of clients) expect((await each(all.length)).toSorted()).toEqual(published)
})

test('a relay takes the unsigned posts of plain programs with the token of its API', async () => {
  const serving = await serve([...driver, '--driver.peers', '127.0.0.1:1', '--api-token', 't'])
  const send = (token: string): Promise<Response> =>
    fetch(`${serving.internal}/api/json/v1/send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: '{"stream":"news","msg":"hello"}',
    })
  expect((await send('t')).status).toBe(200)
  expect((await send('x')).status).toBe(401)
})

test.each([
  ['no peers', []],
  ['peers in two ways', ['--driver.service', 'asbru', '--driver.peers', '127.0.0.1:1']],
  ['peers in two ways', ['--driver.dns', 'asbru', '--driver.peers', '127.0.0.1:1']],
  ['peers in two ways', ['--driver.service', 'asbru', '--driver.dns', 'asbru']],
])('a relay that is told of %s ends with a fault of its configuration: %s', async (_, told) => {
  const ports = ['--port', '0', '--internal-port', '0']
  const { code, stdout, stderr } = await run(['serve', ...ports, ...driver, ...told])
  expect(stderr).toContain('driver: needs exactly one of: service, dns, peers')
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

function relay(seed: string): Promise<ServingAsbru> {
  return serve([...driver, '--driver.peers', seed])
}

/** An EventSource on a relay, whose first events can be waited for. */
async function client({
  events,
  api,
}: ServingAsbru): Promise<(count: number) => Promise<string[]>> {
  const { id } = await post(`${api}/clients`, { topics: [TOPIC] })
  const source = new EventSource(`${events}?id=${id}`)
  onTestFinished(() => source.close())
  const got: string[] = []
  source.addEventListener(TOPIC, ({ data }) => void got.push(data as string))
  await new Promise((resolve, reject) => {
    source.addEventListener('open', resolve)
    source.addEventListener('error', reject)
  })
  return async (count) => {
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(count), { timeout: 10_000 })
    return got
  }
}
