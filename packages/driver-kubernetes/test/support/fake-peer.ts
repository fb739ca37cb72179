import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { SEND_PATH } from '@asbru/driver-kubernetes'
import { listening } from './replica.ts'

/** A post as it came in, and how to answer it. */
export interface Posted {
  readonly post: Record<string, unknown> & { readonly messages: readonly unknown[][] }
  /** As a peer does that took it. */
  readonly answer: () => void
  /** Ends the connection instead. */
  readonly drop: () => void
}

/** Listens as a peer, on a port or a free one, and does with posts what it is told. */
export async function fakePeer(onPost: (posted: Posted) => void, port = 0): Promise<string> {
  const server = createServer((request, response) => void take(request, response))
  return listening(server, port)

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    onPost({
      post: JSON.parse(body) as Posted['post'],
      answer: () =>
        void response.end(JSON.stringify({ sender: 'fake', highest: 0, seen: {}, peers: [] })),
      drop: () => void request.socket.destroy(),
    })
  }
}

/** Posts to a replica as a peer does, without a signature, and returns the status of the answer. */
export async function postTo(address: string, post: object): Promise<number> {
  const { status } = await fetch(`http://${address}${SEND_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ namespace: 'test', joined: 0, first: 1, messages: [], ...post }),
  })
  return status
}

/** A message on `news`, as it travels. */
export function posted(payload: string): [string, string] {
  return ['news', Buffer.from(payload).toString('base64')]
}
