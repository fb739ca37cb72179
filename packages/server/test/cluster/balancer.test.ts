import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { reservePort } from '@asbru/brokers'
import { expect, onTestFinished, test } from 'vitest'
import { startBalancer } from './support/balancer.ts'

/** A server that says its name to everybody. */
async function named(name: string): Promise<number> {
  const server: Server = createServer((socket) => socket.end(name))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function said(port: number): Promise<string> {
  let text = ''
  for await (const chunk of connect(port, '127.0.0.1').setEncoding('utf8')) text += String(chunk)
  return text
}

test('each connection goes to the next in turn, and past those where nobody listens', async () => {
  const { port: nobody } = await reservePort()
  const balancer = await startBalancer([await named('a'), nobody, await named('b')])
  const answers = [await said(balancer), await said(balancer), await said(balancer)]
  expect(answers).toEqual(['a', 'b', 'a'])
})

test('a connection ends when nobody listens at all', async () => {
  const { port: nobody } = await reservePort()
  expect(await said(await startBalancer([nobody]))).toBe('')
})
