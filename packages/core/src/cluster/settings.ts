/** What a replicated store may be told. */
export interface ReplicatedClientStoreOptions {
  /** How often replicas let each other hear of them, in milliseconds. @default 1_000 */
  readonly beatMs?: number
  /** A change that not all replicas have noted by then is refused, in milliseconds. @default 5_000 */
  readonly changeTimeoutMs?: number
  /** How long it is remembered that a client was removed, in milliseconds. @default 3_600_000 */
  readonly tombstoneMs?: number
  /** How long an expired client may come back by a replica that still holds a connection, in milliseconds. @default 600_000 */
  readonly dormantMs?: number
  /** How long others are waited for before a client is said not to exist, in milliseconds. @default 1_000 */
  readonly askMs?: number
  /** Shared by all replicas: what they tell each other is signed with it. @default not signed */
  readonly controlSecret?: string
  /** Keeps a copy that outlives all replicas. @default none */
  readonly archive?: ClientArchive
}

/** The times that a replica goes by, in milliseconds. */
export interface Settings {
  readonly beatMs: number
  /** One that was not heard for so long is silent. */
  readonly silentMs: number
  /** One whose own beats did not come back for so long is out of touch. */
  readonly touchMs: number
  readonly changeTimeoutMs: number
  readonly tombstoneMs: number
  /** One that was out of touch for so long may have forgotten what was removed. */
  readonly staleMs: number
  readonly dormantMs: number
  readonly askMs: number
}

/** All of them, by what was given. */
export function settingsOf(options: ReplicatedClientStoreOptions): Settings {
  const { beatMs = 1_000, changeTimeoutMs = 5_000, askMs = 1_000 } = options
  const { tombstoneMs = 3_600_000, dormantMs = 600_000 } = options
  return {
    beatMs,
    silentMs: 4 * beatMs,
    touchMs: 2.5 * beatMs,
    changeTimeoutMs,
    tombstoneMs,
    staleMs: tombstoneMs - Math.min(10_000, tombstoneMs / 4),
    dormantMs,
    askMs,
  }
}

/** Keeps clients where they outlive all replicas: what a replica that starts and finds no other begins with. */
export interface ClientArchive {
  open(to: { readonly namespace: string }): Promise<void>
  /** All clients that are kept. */
  load(): AsyncIterable<ArchivedClient>
  /** Merges field by field, the later stamp winning, and keeps it for so long. Awaited before a change is answered. */
  save(client: ArchivedClient, expiresInMs: number): Promise<void>
  /** Keeps clients for so long from now on. */
  touch(ids: readonly string[], expiresInMs: number): Promise<void>
  close(): Promise<void>
}

/** A client as it is kept. Stamps compare as text in the order of time; an empty one is before all. */
export interface ArchivedClient {
  readonly id: string
  readonly born: string
  readonly gone: string
  /** What it was made with. */
  readonly set: {
    readonly stamp: string
    readonly ttlMs: number
    readonly metadata: Readonly<Record<string, unknown>>
    readonly madeAt: string
  }
  readonly topics: readonly (readonly [topic: string, stamp: string, isOn: boolean])[]
}
