import type { Socket } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'

/** The sockets on which clients of the demo read their streams, so that a button can cut them. */
export class Sockets {
  readonly #byClient = new Map<string, Set<Socket>>()

  /** Notes the socket of each request that passes. */
  readonly track: MiddlewareHandler<{ Bindings: HttpBindings }> = (c, next) => {
    const { incoming, outgoing } = c.env
    const id = c.req.query('id')
    if (id !== undefined) {
      const sockets = this.#byClient.get(id) ?? new Set()
      this.#byClient.set(id, sockets.add(incoming.socket))
      outgoing.once('close', () => {
        sockets.delete(incoming.socket)
        if (sockets.size === 0) this.#byClient.delete(id)
      })
    }
    return next()
  }

  /** Cuts those of a client, without a word, as a failing network does; returns how many there were. */
  cut(id: string): number {
    const sockets = [...(this.#byClient.get(id) ?? [])]
    for (const socket of sockets) socket.destroy()
    return sockets.length
  }
}
