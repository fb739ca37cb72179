import { once } from 'node:events'
import { connect } from 'node:net'

/** A text protocol over TCP: waits for a pattern after each line that it sends. */
export async function converse(
  port: number,
  turns: readonly { readonly send: string; readonly until: RegExp }[],
): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.setEncoding('utf8')
  try {
    let heard = ''
    for (const { send, until } of turns) {
      socket.write(send)
      heard = ''
      while (!until.test(heard)) heard += ((await once(socket, 'data')) as [string])[0]
    }
    return heard
  } finally {
    socket.destroy()
  }
}
