import { apiClient, type ApiClientOptions } from '../api-client.ts'

/** `asbru status`: prints how a relay is doing, as JSON for people. */
export async function printStatus(options: ApiClientOptions): Promise<void> {
  const status = await apiClient(options)({ path: ['status'] })
  process.stdout.write(`${JSON.stringify(status, null, 2)}\n`)
}
