/** How many connections the relay has. */
export async function connectionsOf(api: string): Promise<number> {
  const response = await fetch(`${api}/status`)
  return ((await response.json()) as { connections: number }).connections
}
