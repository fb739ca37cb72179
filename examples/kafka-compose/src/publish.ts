/** Produces an order each second with the client of Kafka, as any program of yours might. */
import { setInterval } from 'node:timers/promises'
import { Kafka } from 'kafkajs'

const brokers = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',')
const producer = new Kafka({ clientId: 'orders', brokers }).producer()
await producer.connect()

let number = 0
for await (const _ of setInterval(1_000)) {
  number += 1
  const topic = number % 2 === 0 ? 'orders.us' : 'orders.eu'
  // The key keeps a region's orders in order. `asbru-event` is the name of the event in the browser;
  // without it, that would be what the client subscribed to.
  const headers = { 'asbru-topic': topic, 'asbru-event': 'order' }
  const value = JSON.stringify({ number, topic })
  await producer.send({ topic: 'asbru', messages: [{ key: topic, value, headers }] })
  console.log(`published ${number} to ${topic}`)
}
