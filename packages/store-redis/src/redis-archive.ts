import type { ArchivedClient, ClientArchive } from '@asbru/core'
import { Redis, type RedisOptions } from 'ioredis'
import { mergeScript } from './merge-script.ts'

/** Where the keys are. */
export interface RedisArchiveOptions {
  readonly connection?: string | RedisOptions
  readonly client?: Redis
  readonly prefix?: string
}

/** A call that Redis has not answered by then fails, in milliseconds. */
const COMMAND_TIMEOUT_MS = 2_000
/** So many keys are looked for, or read, at a time. */
const BATCH = 500
const TOPIC = 't:'

/** A hash for each client, with expiry: `born`, `gone`, `set`, and a field for each topic. */
export class RedisArchive implements ClientArchive {
  readonly #redis: Redis
  readonly #isOwn: boolean
  readonly #prefix: string
  #keys = ''

  constructor({ connection, client, prefix = 'asbru:' }: RedisArchiveOptions) {
    this.#prefix = prefix
    this.#isOwn = client === undefined
    this.#redis = client ?? newRedis(connection)
  }

  async open({ namespace }: { readonly namespace: string }): Promise<void> {
    this.#keys = `${this.#prefix}${namespace}:client:`
  }

  async *load(): AsyncGenerator<ArchivedClient> {
    let cursor = '0'
    do {
      const [next, keys] = await this.#redis.scan(
        cursor,
        'MATCH',
        `${glob(this.#keys)}*`,
        'COUNT',
        BATCH,
      )
      cursor = next
      const hashes = await Promise.all(keys.map((key) => this.#redis.hgetall(key)))
      for (const [i, hash] of hashes.entries()) {
        const client = clientOf(keys[i]!.slice(this.#keys.length), hash)
        if (client !== undefined) yield client
      }
    } while (cursor !== '0')
  }

  async save({ id, born, gone, set, topics }: ArchivedClient, expiresInMs: number): Promise<void> {
    const fields = topics.flatMap(([topic, stamp, isOn]) => [
      TOPIC + topic,
      `${stamp} ${isOn ? 1 : 0}`,
    ])
    const values = [expiresInMs, born, gone, set.stamp, JSON.stringify(set), ...fields]
    await this.#redis.eval(mergeScript, 1, this.#keys + id, ...values)
  }

  async touch(ids: readonly string[], expiresInMs: number): Promise<void> {
    for (let first = 0; first < ids.length; first += BATCH) {
      const some = ids.slice(first, first + BATCH)
      await Promise.all(some.map((id) => this.#redis.pexpire(this.#keys + id, expiresInMs, 'GT')))
    }
  }

  async close(): Promise<void> {
    if (this.#isOwn) this.#redis.disconnect()
  }
}

function newRedis(connection: string | RedisOptions = {}): Redis {
  const own: RedisOptions & { replyMapping: 'legacy' } = {
    replyMapping: 'legacy',
    lazyConnect: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableAutoPipelining: true,
    retryStrategy: (times) => Math.min(50 * times, 500),
  }
  const redis =
    typeof connection === 'string'
      ? new Redis(connection, own)
      : new Redis({ ...connection, ...own })
  // What fails is told to those who asked; an event without a listener would end the process.
  redis.on('error', () => {})
  return redis
}

/** A client as its hash has it, or `undefined` for what is none. */
function clientOf(id: string, hash: Readonly<Record<string, string>>): ArchivedClient | undefined {
  const { born = '', gone = '', set } = hash
  if (set === undefined) return undefined
  try {
    const topics = Object.entries(hash)
      .filter(([field]) => field.startsWith(TOPIC))
      .map(([field, value]) => {
        const [stamp = '', isOn] = value.split(' ')
        return [field.slice(TOPIC.length), stamp, isOn === '1'] as const
      })
    return { id, born, gone, set: JSON.parse(set) as ArchivedClient['set'], topics }
  } catch {
    return undefined
  }
}

/** A text as a pattern of Redis that stands for itself. */
function glob(text: string): string {
  return text.replaceAll(/[*?[\]\\^-]/g, String.raw`\$&`)
}
