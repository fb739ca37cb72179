import { request } from 'node:http'
import { until } from './until.ts'

/** What the HTTP API answered. */
export interface Answer {
  readonly status: number
  /** Parsed JSON, if there was any. */
  readonly body: unknown
}

/** Asks the HTTP API over a connection of its own, so that a balancer gives each request to the next replica. */
export function ask(method: string, url: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, {
      method,
      agent: false,
      headers: { 'content-type': 'application/json' },
    })
    asking.once('error', reject)
    asking.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.once('error', reject).once('end', () => {
        const parsed: unknown = text === '' ? undefined : JSON.parse(text)
        resolve({ status: response.statusCode!, body: parsed })
      })
    })
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Asks, and rejects unless the answer has the status. */
export async function expectAnswer(
  status: number,
  method: string,
  url: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await ask(method, url, body)
  if (answer.status !== status)
    throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** Asks again while the answer is 503 or nobody answers, as `Retry-After` allows. */
export async function askUntilTaken(method: string, url: string, body?: unknown): Promise<Answer> {
  let answer: Answer | undefined
  await until(`${method} ${url} is taken`, 30_000, async () => {
    answer = await ask(method, url, body).catch(() => undefined)
    return answer !== undefined && answer.status !== 503
  })
  return answer!
}

/** Makes a client, and resolves with its id. */
export async function newClient(api: string, topics: readonly string[] = []): Promise<string> {
  const made = (await expectAnswer(201, 'POST', `${api}/clients`, { topics })) as { id: string }
  return made.id
}

/** Subscribes a client, and resolves once that is answered. */
export async function subscribe(api: string, id: string, topic: string): Promise<void> {
  await expectAnswer(204, 'PUT', `${api}/clients/${id}/subscriptions/${topic}`)
}
