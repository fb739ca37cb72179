import type { Range } from './server.ts'

/** Requests on their way at a time. */
const PARALLEL = 8

/** Makes clients `c<number>` with the topic of the bench, as a program that uses the relay would. */
export async function makeClients(api: string, { connections, first }: Range): Promise<void> {
  let next = first
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (next < first + connections) {
        const id = `c${next++}`
        const response = await fetch(`${api}/clients`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ id, topics: ['T0'] }),
        })
        const answer = await response.text()
        if (response.status !== 201) throw new Error(`The relay makes no client: ${answer}`)
      }
    }),
  )
}

/** How many connections the relay has. */
export async function connectionsOf(api: string): Promise<number> {
  const response = await fetch(`${api}/status`)
  return ((await response.json()) as { connections: number }).connections
}
