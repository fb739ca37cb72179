import { readFileSync } from 'node:fs'
import { onTestFinished, describe, expect, test } from 'vitest'
import {
  problemResponse,
  Streamer,
  StreamerError,
  type StreamerErrorCode,
  wireCode,
} from '../src/index.ts'
import { scriptedDriver } from './support/scripted-driver.ts'
import { serveStreamer } from './support/serve-streamer.ts'

/** The codes that core raises, each with something that raises it: as an error, or as a problem over HTTP. */
const raisedBy: Partial<Record<StreamerErrorCode, () => Promise<unknown>>> = {
  INVALID_REQUEST: () => streamerOf().newClient({ ttlMs: -1 }),
  CLIENT_ID_REQUIRED: () => problemOf((origin) => fetch(`${origin}/events`)),
  FORBIDDEN: () => streamerOf({ authorizeSubscription: () => false }).newClient({ topics: ['a'] }),
  CLIENT_NOT_FOUND: () => streamerOf().subscribe('nobody', 'news'),
  METHOD_NOT_ALLOWED: () => problemOf((origin) => fetch(`${origin}/events`, { method: 'DELETE' })),
  CLIENT_EXISTS: async () => {
    const streamer = streamerOf()
    await streamer.newClient({ id: 'a' })
    await streamer.newClient({ id: 'a' })
  },
  PAYLOAD_TOO_LARGE: () => streamerOf({ maxPayloadBytes: 3 }).publish('news', 'four'),
  INVALID_TOPIC: () => streamerOf().publish('a..b', 'x'),
  NOT_SUPPORTED_BY_DRIVER: () =>
    streamerOf({ driver: scriptedDriver({ patterns: false }) }).newClient({ topics: ['a.*'] }),
  INTERNAL: async () => {
    throw await problem(problemResponse(new Error('a driver’s secret')))
  },
  SUBSCRIPTION_FAILURE: () => {
    const driver = scriptedDriver()
    driver.failing.add('subscribe news')
    return streamerOf({ driver }).newClient({ topics: ['news'] })
  },
  BROKER_UNAVAILABLE: () => {
    const driver = scriptedDriver()
    driver.failing.add('publish news')
    return streamerOf({ driver }).publish('news', 'x')
  },
  CLOSING: async () => {
    const streamer = streamerOf()
    await streamer.close()
    await streamer.publish('news', 'x')
  },
}

/** Codes of the HTTP API, which is not part of core: raised by its tests. */
const raisedElsewhere: readonly StreamerErrorCode[] = [
  'UNAUTHORIZED',
  'NOT_FOUND',
  'CHANGE_TIMEOUT',
  'NOT_READY',
]

describe('the closed list of codes', () => {
  test('holds exactly the codes that are raised', () => {
    const source = readFileSync(new URL('../src/errors.ts', import.meta.url), 'utf8')
    const listed = [...source.matchAll(/^ {2}([A-Z_]+): \d{3},$/gm)].map((found) => found[1]!)
    expect([...Object.keys(raisedBy), ...raisedElsewhere].toSorted()).toEqual(listed.toSorted())
  })

  test.each(Object.entries(raisedBy))('%s is raised', async (code, raise) => {
    await expect(raise()).rejects.toMatchObject({ code })
  })

  test.each([...Object.keys(raisedBy), ...raisedElsewhere] as StreamerErrorCode[])(
    '%s goes over the wire with its status, and Retry-After exactly if it may pass',
    async (code) => {
      const error = new StreamerError(code, 'What failed, and what to do.', { cause: 'secret' })
      const response = problemResponse(error)
      expect(response.status).toBe(error.status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.has('retry-after')).toBe(error.retryable)
      expect(await response.json()).toEqual({
        code: wireCode(code),
        title: expect.stringMatching(/^[A-Z]/),
        status: error.status,
        detail: 'What failed, and what to do.',
      })
    },
  )
})

test('keeps to itself what an error of somebody else says', async () => {
  const response = problemResponse(new TypeError('password=hunter2'))
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('hunter2')
})

test('refuses an event name and an id of its own where the driver has no headers', async () => {
  const driver = scriptedDriver({ headers: false })
  const streamer = streamerOf({ driver })
  for (const options of [{ event: 'paid' }, { id: 'one' }])
    await expect(streamer.publish('news', 'x', options)).rejects.toMatchObject({
      code: 'NOT_SUPPORTED_BY_DRIVER',
    })
  expect(await streamer.publish('news', 'x')).toEqual({ id: expect.any(String) })
})

function streamerOf(options: Partial<ConstructorParameters<typeof Streamer>[0]> = {}): Streamer {
  const streamer = new Streamer({ driver: scriptedDriver(), drainMs: 0, lingerMs: 0, ...options })
  onTestFinished(() => streamer.close())
  return streamer
}

/** Rejects with the problem that a request gets, its code as errors have it. */
async function problemOf(request: (origin: string) => Promise<Response>): Promise<never> {
  const { origin } = await serveStreamer()
  throw await problem(await request(origin))
}

async function problem(response: Response): Promise<Error & { code: string }> {
  const { code } = (await response.json()) as { code: string }
  return Object.assign(new Error(code), { code: code.toUpperCase().replaceAll('-', '_') })
}
