import { dnsPeers, staticPeers } from '@asbru/driver-kubernetes'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Sser } from './sser.ts'

/** The name of a headless Service; without one, this pod is alone. */
const name = process.env['PEERS']
const port = 7000
const peers = name === undefined ? staticPeers([]) : dnsPeers({ name, port })
const sser = new Sser(name === undefined ? 0 : port, peers, process.env['POD_IP'])
await sser.start()

const frontend = createServer((request, response) => {
  if (request.url?.startsWith('/events')) sser.clientConnectionHandler(request, response)
  else response.writeHead(404).end()
})
frontend.listen(Number(process.env['PORT'] ?? 8000), () => {
  console.log(`http://127.0.0.1:${(frontend.address() as AddressInfo).port}/`)
})

const clock = setInterval(() => void sser.send('time', new Date().toISOString()), 1_000)

process.once('SIGTERM', () => {
  clearInterval(clock)
  void sser.close().then(() => frontend.close())
})
