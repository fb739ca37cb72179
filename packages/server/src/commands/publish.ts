import { buffer } from 'node:stream/consumers'
import { apiClient, type ApiClientOptions } from '../api-client.ts'

/** What `asbru publish` takes beside topic and data. */
export interface PublishCommandOptions extends ApiClientOptions {
  /** Name of the event. @default the topic */
  readonly event?: string
  /** Id of the message. @default made by the relay */
  readonly id?: string
}

/** `asbru publish`: publishes `data`, or what comes on stdin for `-`, and prints the message's id. */
export async function publish(
  topic: string,
  data: string,
  { event, id, ...options }: PublishCommandOptions,
): Promise<void> {
  const body = data === '-' ? await buffer(process.stdin) : Buffer.from(data)
  const answer = await apiClient(options)({
    method: 'POST',
    path: ['topics', topic, 'messages'],
    headers: {
      'content-type': 'application/octet-stream',
      ...(event !== undefined && { 'asbru-event': event }),
      ...(id !== undefined && { 'asbru-id': id }),
    },
    body: new Uint8Array(body),
  })
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
