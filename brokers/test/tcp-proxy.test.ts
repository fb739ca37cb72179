import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { startProxy, type TcpProxy } from '@asbru/brokers'
import { expect, onTestFinished, test } from 'vitest'

/** A server that sends everything back, and a proxy before it. */
async function echoBehindProxy(): Promise<TcpProxy> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startProxy({ port: (server.address() as AddressInfo).port })
  onTestFinished(async () => {
    await proxy.stop()
    server.close()
  })
  return proxy
}

async function client({ port }: TcpProxy): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function echoOf(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}

test('passes on what is sent, both ways', async () => {
  const socket = await client(await echoBehindProxy())
  expect(await echoOf(socket, 'hello')).toBe('hello')
})

test('ends all connections when it is cut, and new ones until it resumes', async () => {
  const proxy = await echoBehindProxy()
  const before = await client(proxy)
  const ended = once(before, 'close')
  proxy.cut()
  await ended
  const refused = connect(proxy.port, '127.0.0.1')
  refused.on('error', () => {})
  await new Promise((resolve) => refused.once('close', resolve))
  proxy.resume()
  expect(await echoOf(await client(proxy), 'again')).toBe('again')
})

test('holds everything up while it is stalled, and lets it arrive in order afterwards', async () => {
  const proxy = await echoBehindProxy()
  const socket = await client(proxy)
  expect(await echoOf(socket, '1')).toBe('1')
  let arrived = ''
  socket.on('data', (chunk: Buffer) => (arrived += chunk.toString()))
  proxy.stall()
  socket.write('2')
  const other = await client(proxy)
  other.write('3')
  // What was sent to the server itself went there and back meanwhile.
  expect(await echoOf(await client(await echoBehindProxy()), 'x')).toBe('x')
  expect(arrived).toBe('')
  proxy.resume()
  socket.write('4')
  while (arrived.length < 2) await once(socket, 'data')
  expect(arrived).toBe('24')
})

test('delays what comes, and keeps its order', async () => {
  const proxy = await echoBehindProxy()
  const socket = await client(proxy)
  proxy.delay(50)
  const sent = performance.now()
  socket.write('a')
  socket.write('b')
  let arrived = ''
  socket.on('data', (chunk: Buffer) => (arrived += chunk.toString()))
  while (arrived.length < 2) await once(socket, 'data')
  expect(arrived).toBe('ab')
  expect(performance.now() - sent).toBeGreaterThan(95)
})

test('ends with its connections', async () => {
  const proxy = await echoBehindProxy()
  const socket = await client(proxy)
  const ended = once(socket, 'close')
  await proxy.stop()
  await ended
  expect(socket.destroyed).toBe(true)
})
