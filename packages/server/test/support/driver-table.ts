/** Writes the table of drivers in the README from what the drivers say of themselves. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Driver } from '@asbru/core'
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'
import { kafkaDriver } from '@asbru/driver-kafka'
import { kubernetesDriver, localhostPeers } from '@asbru/driver-kubernetes'
import { memoryDriver } from '@asbru/driver-memory'
import { natsDriver } from '@asbru/driver-nats'
import { rabbitmqDriver } from '@asbru/driver-rabbitmq'
import { redisDriver } from '@asbru/driver-redis'

/** The README of the project. */
export const README: URL = new URL('../../../../README.md', import.meta.url)
const BEGIN = '<!-- drivers: pnpm docs:drivers -->\n'
const END = '<!-- /drivers -->'

/** Every way to run every driver. None of them is opened. */
const drivers: readonly [mode: string, driver: Driver][] = [
  ['', memoryDriver()],
  ['core subjects', natsDriver()],
  ['JetStream', natsDriver({ jetstream: { stream: 'ASBRU' } })],
  ['exchange', rabbitmqDriver()],
  ['stream', rabbitmqDriver({ stream: { name: 'asbru' } })],
  ['`pubsub`', redisDriver()],
  ['`sharded`', redisDriver({ mode: 'sharded' })],
  ['`streams`', redisDriver({ mode: 'streams' })],
  ['', kafkaDriver()],
  ['', gcpPubsubDriver()],
  ['', kubernetesDriver({ peers: localhostPeers() })],
]

const orders = { topic: 'of a topic', publisher: 'of a publisher', none: 'none' }

/** Of drivers without a log that all replicas read alike. */
const outages: Readonly<Record<string, string>> = {
  memory: 'none: one process',
  'gcp-pubsub': 'nothing is lost within an hour',
}

/** Without positions that all replicas read alike, a replica that takes over repeats a little. */
function resumeElsewhere({ shared, positions }: Driver['capabilities']): string {
  if (!shared) return 'none: one process'
  return positions ? 'exact' : 'at least once'
}

/** The README with the table as it should be. */
export function readmeWithTable(readme: string): string {
  const [before, rest = ''] = readme.split(BEGIN)
  return `${before}${BEGIN}\n${table()}\n\n${END}${rest.slice(rest.indexOf(END) + END.length)}`
}

function table(): string {
  const rows = drivers.map(([mode, { name, capabilities }]) => {
    const { patterns, headers, ordering, positions } = capabilities
    const outage = outages[name] ?? (positions ? 'nothing is lost' : '`gap`')
    return [
      `[${name}](packages/driver-${name}/README.md)`,
      mode,
      patterns ? 'yes' : 'no',
      headers ? 'yes' : 'no',
      orders[ordering],
      resumeElsewhere(capabilities),
      outage,
    ]
  })
  const head = [
    'driver',
    'mode',
    'patterns',
    'event name and id',
    'order kept',
    'resume on another replica',
    'after an outage of the broker',
  ]
  return aligned([head, ...rows])
}

/** As the formatter leaves it. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map(
    (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`,
  )
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`)
  return lines.join('\n')
}

if (import.meta.main) writeFileSync(README, readmeWithTable(readFileSync(README, 'utf8')))
