/**
 * The receiving side and publisher where there is no C compiler; `sink/sink.c` is the same and cheaper.
 *
 * Arguments: PORT FEED_PORT CONNECTIONS FIRST WINDOW WARMUP SECONDS PATH; `%d` in PATH stands for the
 * number of the connection, from FIRST on. It prints `connected`, waits for a line on stdin (at its end it goes), keeps up to WINDOW
 * messages on their way, prints `measuring` and `measured`, and what it has counted, as JSON.
 */
import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { OrderCheck, payloadOf } from './order-check.ts'

const STALL_MS = 5_000
const CONNECT_BATCH = 256

const numbers = process.argv.slice(2, 9).map(Number)
const [port, feedPort, connections, first, window, warmup, seconds] = numbers
const path = process.argv[9]!
const check = new OrderCheck(connections!)
const sockets: Socket[] = []
let reads = 0
let lastNews = 0
let onNews = (): void => {}

const feed = connect({ port: feedPort!, host: '127.0.0.1', noDelay: true })
while (sockets.length < connections!) {
  const batch = Math.min(CONNECT_BATCH, connections! - sockets.length)
  await Promise.all(Array.from({ length: batch }, () => open(sockets.length)))
}
console.log('connected')
for await (const _ of createInterface({ input: process.stdin })) {
  await measure()
  break
}
for (const socket of sockets) socket.resetAndDestroy()
process.exit()

async function open(number: number): Promise<void> {
  const socket = connect({ port: port!, host: '127.0.0.1', noDelay: true })
  sockets.push(socket)
  socket.write(
    `GET ${path.replace('%d', String(first! + number))} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`,
  )
  socket.on('data', (piece) => {
    reads++
    check.read(number, piece)
    onNews()
  })
  socket.on('error', (error) => fail(`connection ${number}: ${error.message}`))
  socket.on('end', () => fail(`the server closed connection ${number}`))
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1').startsWith('HTTP/1.1 200'))
    fail(`the server refused connection ${number}: ${head.toString()}`)
}

async function measure(): Promise<void> {
  let stopped = false
  const refill = (): void => {
    lastNews = performance.now()
    check.acknowledge()
    if (stopped) return
    let lines = ''
    for (let free = window! - (check.sent - check.acknowledged); free > 0; free--) {
      lines += `T0 ${payloadOf(check.sent++)}\n`
    }
    if (lines !== '') feed.write(lines)
  }
  onNews = refill
  refill()
  await elapsed(warmup! * 1000)
  const before = snapshot()
  console.log('measuring')
  await elapsed(seconds! * 1000)
  const after = snapshot()
  console.log('measured')
  stopped = true
  while (check.acknowledged < check.sent && performance.now() - lastNews < STALL_MS)
    await elapsed(20)
  console.log(
    JSON.stringify({
      seconds: after.seconds - before.seconds,
      deliveries: after.deliveries - before.deliveries,
      reads: after.reads - before.reads,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      sent: check.sent,
      ...check.faults(),
    }),
  )
}

function snapshot(): { seconds: number; deliveries: number; reads: number; cpuSeconds: number } {
  const { user, system } = process.cpuUsage()
  return {
    seconds: performance.now() / 1000,
    deliveries: check.deliveries,
    reads,
    cpuSeconds: (user + system) / 1e6,
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
