import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP proxy that gives each connection to the next port in turn, and past those where nobody listens. */
export async function startBalancer(ports: readonly number[]): Promise<number> {
  const sockets = new Set<Socket>()
  let turn = 0
  const server = createServer({ pauseOnConnect: true }, (near) => {
    keep(near)
    void reach()

    async function reach(): Promise<void> {
      for (let attempt = 0; attempt < ports.length; attempt++) {
        const far = connect(ports[turn++ % ports.length]!, '127.0.0.1')
        keep(far)
        if (!(await connected(far))) continue
        far.on('close', () => near.destroy())
        near.on('close', () => far.destroy())
        near.pipe(far).pipe(near)
        return
      }
      near.destroy()
    }
  })

  function keep(socket: Socket): void {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }

  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function connected(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('close', () => resolve(false))
  })
}
