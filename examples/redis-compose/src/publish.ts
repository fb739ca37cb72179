/** Adds an order to a stream each second with the client of Redis, as any program of yours might. */
import { setInterval } from 'node:timers/promises'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')

let number = 0
for await (const _ of setInterval(1_000)) {
  number += 1
  const topic = number % 2 === 0 ? 'orders.us' : 'orders.eu'
  const data = JSON.stringify({ number, topic })
  // `event` is the name of the event in the browser; without it, that would be what the client
  // subscribed to.
  await redis.xadd('asbru', '*', 'topic', topic, 'data', data, 'event', 'order')
  console.log(`published ${number} to ${topic}`)
}
