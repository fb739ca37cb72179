/** Publishes an order each second with the client of NATS, as any program of yours might. */
import { setInterval } from 'node:timers/promises'
import { connect, headers } from 'nats'

const servers = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222'
const nats = await connect({ servers, maxReconnectAttempts: -1 })
// The name of the event in the browser; without it, that would be what the client subscribed to.
const named = headers()
named.set('Asbru-Event', 'order')

let number = 0
for await (const _ of setInterval(1_000)) {
  number += 1
  const topic = number % 2 === 0 ? 'orders.us' : 'orders.eu'
  // The stream has all subjects that begin so.
  nats.publish(`events.${topic}`, JSON.stringify({ number, topic }), { headers: named })
  await nats.flush()
  console.log(`published ${number} to ${topic}`)
}
