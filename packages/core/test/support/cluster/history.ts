import type { ChangeKind } from './schedule.ts'
import { TTL_MS } from './schedule.ts'
import type { SimulatedReplica } from './simulated-replica.ts'

/** A change that a caller asked for, and what came of it. */
export interface Change {
  readonly kind: ChangeKind
  readonly client: string
  readonly topic: string
  readonly via: SimulatedReplica
  readonly begin: number
  /** When it was answered; a change that was refused or broken off may take effect at any time. */
  end: number
  outcome: 'pending' | 'answered' | 'refused' | 'exists'
  issuedAt: number
  /** Whether nobody who knew of it runs any more. */
  isLost: boolean
  /** Who knows of it. */
  readonly holders: Set<SimulatedReplica>
}

/** A tab of a browser. */
export interface Tab {
  readonly client: string
  /** How long it stays once it is open. */
  leavesAfterMs: number
  at: SimulatedReplica | undefined
  isOpen: boolean
  openedAt: number
  connection: string
}

export interface Failure {
  readonly rule: string
  readonly text: string
}

/** What happened in a schedule, as nobody in the cluster knows it. */
export class History {
  readonly changes: Change[] = []
  readonly tabs: Tab[] = []
  readonly failures: Failure[] = []
  /** When a client was made, or its last connection ended. */
  readonly lastSeen = new Map<string, number>()
  /** The same as far as others could hear of it: what a replica that is cut off holds, nobody else knows. */
  readonly lastHeard = new Map<string, number>()

  changesOf(client: string): Change[] {
    return this.changes.filter((change) => change.client === client)
  }

  /** Whether a client surely exists: a browser that comes with its id must be let in. */
  isValid(client: string, now: number): boolean {
    const changes = this.changesOf(client)
    const isMade = changes.some(
      (made) =>
        isMaking(made) &&
        made.outcome === 'answered' &&
        !made.isLost &&
        changes.every((other) => other.kind !== 'remove' || other.end < made.begin),
    )
    if (!isMade) return false
    if (this.tabs.some((tab) => tab.isOpen && tab.client === client)) return true
    return now - (this.lastSeen.get(client) ?? -Infinity) < TTL_MS * 0.998 - 10
  }

  wasRemoved(client: string): boolean {
    return this.changesOf(client).some(({ kind }) => kind === 'remove')
  }

  /** Notes on which replicas changes of a client can be seen. */
  noteHolder(replica: SimulatedReplica, client: string): void {
    for (const change of this.changesOf(client)) {
      if (isSeen(replica, change)) change.holders.add(replica)
    }
  }

  /** What no running replica knows any more is nobody's fault. */
  forget(): void {
    for (const change of this.changes) {
      if (change.outcome !== 'answered' || change.isLost) continue
      change.isLost = ![...change.holders].some(({ isUp }) => isUp)
    }
  }
}

export function isMaking({ kind }: Pick<Change, 'kind'>): boolean {
  return kind === 'make' || kind === 'claim'
}

/** Whether a replica's view shows what a change asked for. */
export function isSeen({ view }: SimulatedReplica, { kind, client, topic }: Change): boolean {
  const record = view.get(client)
  switch (kind) {
    case 'make':
    case 'claim':
      return record !== undefined && (topic === '' || record.topics.has(topic))
    case 'remove':
      return record === undefined
    case 'subscribe':
      return record?.topics.has(topic) === true
    case 'unsubscribe':
      return record?.topics.has(topic) !== true
  }
  return kind satisfies never
}

/** Whether nothing else that was asked for can hide what a change did. */
export function isAlone(change: Change, changes: readonly Change[]): boolean {
  return changes.every((other) => {
    if (other === change || other.end < change.begin) return true
    const isOfTopic = other.kind === 'subscribe' || other.kind === 'unsubscribe'
    if (isMaking(change) && isOfTopic) return true
    return isOfTopic && other.topic !== change.topic
  })
}

export function describe({ kind, client, topic }: Change): string {
  return `${kind} ${client} ${topic}`
}

/** Removals that were answered and not forgotten. */
export function removalsOf(changes: readonly Change[]): Change[] {
  return changes.filter(
    ({ kind, outcome, isLost }) => kind === 'remove' && outcome === 'answered' && !isLost,
  )
}
