/** Publishes an order each second with the client of RabbitMQ, as any program of yours might. */
import { setInterval } from 'node:timers/promises'
import { connect } from 'amqplib'

const connection = await connect(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1:5672')
const channel = await connection.createConfirmChannel()
// The name of the event in the browser; without it, that would be what the client subscribed to.
const headers = { 'asbru-event': 'order' }

let number = 0
for await (const _ of setInterval(1_000)) {
  number += 1
  const topic = number % 2 === 0 ? 'orders.us' : 'orders.eu'
  channel.publish('asbru', topic, Buffer.from(JSON.stringify({ number, topic })), { headers })
  await channel.waitForConfirms()
  console.log(`published ${number} to ${topic}`)
}
