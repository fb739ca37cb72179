import { setTimeout as wait } from 'node:timers/promises'
import type { RelayProcess } from './relay-process.ts'

/** How changes of subscriptions fared. */
export interface Churn {
  readonly answered: number
  readonly refused: number
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
}

/** Subscribes and unsubscribes clients through all replicas in turn, at a steady rate. */
export async function churn(
  relays: readonly RelayProcess[],
  ids: readonly string[],
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<Churn> {
  const took: number[] = []
  let refused = 0
  const changes: Promise<void>[] = []
  const begun = performance.now()
  for (let i = 0; i < perSecond * seconds; i++) {
    const early = begun + (i * 1_000) / perSecond - performance.now()
    if (early > 1) await wait(early)
    changes.push(change(i))
  }
  await Promise.all(changes)
  const elapsed = (performance.now() - begun) / 1_000
  const sorted = took.toSorted((a, b) => a - b)
  return {
    answered: took.length,
    refused,
    perSecond: Math.round((took.length + refused) / elapsed),
    medianMs: Math.round(sorted[sorted.length >> 1] ?? 0),
    p99Ms: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
  }

  /** Every second change undoes the one before it. */
  async function change(i: number): Promise<void> {
    const relay = relays[i % relays.length]!
    const client = ids[((i >> 1) * 7_919) % ids.length]!
    const sent = performance.now()
    const answer = await fetch(`${relay.api}/clients/${client}/subscriptions/churn`, {
      method: i % 2 === 0 ? 'PUT' : 'DELETE',
    })
    await answer.arrayBuffer()
    if (answer.ok) took.push(performance.now() - sent)
    else refused++
  }
}
