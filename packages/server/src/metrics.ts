import type { Streamer, StreamerStatus } from '@asbru/core'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** What Prometheus reads: the relay's numbers as they are when it asks, and those of Node itself. */
export function metricsOf(streamer: Pick<Streamer, 'status'>): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const registers = [register]
  for (const [name, help, read] of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: async () => gauge.set(read(await streamer.status())),
    })
  }
  for (const [name, help, read] of counters) {
    const counter: Counter = new Counter({
      name,
      help,
      registers,
      collect: async () => {
        const total = read(await streamer.status())
        counter.reset()
        counter.inc(total)
      },
    })
  }
  return register
}

type Metric = readonly [name: string, help: string, read: (status: StreamerStatus) => number]

const gauges: readonly Metric[] = [
  ['asbru_connections', 'Open connections.', ({ connections }) => connections],
  ['asbru_clients', 'Clients of all replicas, connected or not.', ({ clients }) => clients],
  [
    'asbru_ready',
    'Whether it knows all clients, and any of them may come to it: 1 or 0.',
    ({ ready }) => Number(ready),
  ],
  [
    'asbru_replicas',
    'Replicas that share the clients and are heard, this one included.',
    ({ replicas }) => replicas.filter(({ isFresh }) => isFresh).length,
  ],
  [
    'asbru_broker_subscriptions',
    'Topics and patterns that are subscribed to at the broker.',
    ({ brokerSubscriptions }) => brokerSubscriptions,
  ],
  [
    'asbru_driver_connected',
    'Whether the broker answers: 1 or 0.',
    ({ driver }) => Number(driver.state === 'connected'),
  ],
  ['asbru_window_bytes', 'What is kept for clients that come back.', ({ window }) => window.bytes],
  [
    'asbru_window_messages',
    'Messages that are kept for clients that come back.',
    ({ window }) => window.messages,
  ],
]

const counters: readonly Metric[] = [
  ['asbru_messages_in_total', 'Messages from the broker.', (status) => status.counters.messagesIn],
  ['asbru_events_out_total', 'Events given to connections.', (status) => status.counters.eventsOut],
  [
    'asbru_slow_consumers_total',
    'Connections closed because they could not keep up.',
    (status) => status.counters.slowConsumers,
  ],
  [
    'asbru_ignored_messages_total',
    'Messages that no subscription can name.',
    (status) => status.counters.ignoredMessages,
  ],
  [
    'asbru_refused_payloads_total',
    'Messages that were too large, or not UTF-8.',
    (status) => status.counters.refusedPayloads,
  ],
]
