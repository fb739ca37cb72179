import { z } from 'zod'
import { brokerKeys, type DriverEntry } from './driver-entry.ts'

const shape = {
  url: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], 'expected a URL')
    .exactOptional()
    .describe('Where the broker is; several servers with commas between.')
    .meta({ defaultText: 'nats://127.0.0.1:4222' }),
  connection: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe('Further options of the client of NATS, such as tls; in a file only.'),
  prefix: z
    .string()
    .exactOptional()
    .describe('Stands before the topic in the names that the broker sees.')
    .meta({ defaultText: 'none; events. with JetStream' }),
  jetstream: z
    .strictObject({
      stream: z.string().min(1).describe('The stream of JetStream that holds the messages.'),
    })
    .exactOptional(),
  ...brokerKeys,
}

/** NATS, whose client is loaded only by those who name it. */
export const nats: DriverEntry = {
  keys: shape,
  async create(keys) {
    const { natsDriver } = await import('@asbru/driver-nats')
    const { url = [], connection, ...options } = z.strictObject(shape).parse(keys)
    const urls = [url].flat().flatMap((some) => some.split(','))
    return natsDriver({ ...options, connection: { ...connectionOf(urls), ...connection } })
  },
}

/** What a URL of NATS says; the client itself takes no credentials in one. */
const URL_PARTS = /^(?<scheme>[a-z]+:\/\/)?(?:(?<login>[^@]*)@)?(?<host>.*)$/

/** Takes `user:password@` or `token@` out of URLs, as other programs for NATS do. */
function connectionOf(urls: readonly string[]): {
  servers?: string[]
  user?: string
  pass?: string
  token?: string
} {
  const parts = urls.map((url) => URL_PARTS.exec(url.trim())!.groups!)
  const servers = parts.map(({ scheme = '', host = '' }) => scheme + host)
  const login = parts.find((each) => each['login'] !== undefined)?.['login']
  const to = servers.length === 0 ? {} : { servers }
  if (login === undefined) return to
  const colon = login.indexOf(':')
  if (colon < 0) return { ...to, token: decodeURIComponent(login) }
  const [user, pass] = [login.slice(0, colon), login.slice(colon + 1)].map(decodeURIComponent)
  return { ...to, user: user!, pass: pass! }
}
