import { isDeepStrictEqual } from 'node:util'
import { expectAnswer } from './api.ts'
import type { Cluster } from './cluster.ts'
import type { Replica } from './replica.ts'
import { until } from './until.ts'

/** The subscriptions of each client, as one replica lists them. */
export type State = Readonly<Record<string, readonly string[]>>

/** Resolves with what one replica lists. */
async function stateOf({ api }: Replica): Promise<State> {
  const state: Record<string, readonly string[]> = {}
  let after: string | undefined
  do {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`
    const page = (await expectAnswer(200, 'GET', `${api}/clients?limit=1000${query}`)) as Page
    for (const { id, topics } of page.clients) state[id] = topics.toSorted()
    after = page.next
  } while (after !== undefined)
  return state
}

/** Resolves with what all replicas list, once it is the same; rejects if that takes longer. */
export async function converged({ replicas }: Cluster, withinMs = 5_000): Promise<State> {
  let states: State[] = []
  await until('all replicas list the same clients and subscriptions', withinMs, async () => {
    states = await Promise.all(replicas.map(stateOf)).catch(() => [])
    return states.length > 0 && states.every((state) => isDeepStrictEqual(state, states[0]))
  })
  return states[0]!
}

/** How a list shows an id. */
export function shown(state: State, id: string): readonly string[] | undefined {
  return Object.entries(state).find(([prefix]) => id.startsWith(prefix.slice(0, 8)))?.[1]
}

interface Page {
  readonly clients: readonly { readonly id: string; readonly topics: readonly string[] }[]
  readonly next?: string
}
