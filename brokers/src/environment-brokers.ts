import type { BrokerName } from './broker.ts'
import type { Report } from './report.ts'
import { ask } from './tcp.ts'

/** For each broker, the variable that names one which the user runs. */
export const urlVariables: Readonly<Record<BrokerName, string>> = {
  nats: 'ASBRU_NATS_URL',
  redis: 'ASBRU_REDIS_URL',
  rabbitmq: 'ASBRU_RABBITMQ_URL',
  kafka: 'ASBRU_KAFKA_URL',
  'gcp-pubsub': 'ASBRU_PUBSUB_URL',
}

/** The broker that the environment names, if it does; down if nobody listens there. */
export async function environmentBroker(broker: BrokerName): Promise<Report | undefined> {
  const url = process.env[urlVariables[broker]]
  if (url === undefined || url === '') return undefined
  const greeting = greetings[broker]
  const { hostname, port } = parse(url, broker)
  const answer = await ask(port, greeting?.send ?? '', enough(greeting?.version), hostname)
  // The password is no news for the user, and nothing for a log.
  const said = { broker, from: 'environment', url: url.replace(/\/\/[^/@]*@/, '//') } as const
  if (answer === undefined) return { ...said, state: 'down' }
  const version = greeting?.version.exec(answer.toString('latin1'))?.[1]
  return { ...said, state: 'up', ...(version === undefined ? {} : { version }) }
}

/** How a broker is brought to tell its version before a log-in. */
const greetings: Partial<Record<BrokerName, { readonly send: string; readonly version: RegExp }>> =
  {
    nats: { send: '', version: /"version":"([^"]+)"/ },
    redis: { send: 'INFO server\r\n', version: /redis_version:([\d.]+)|^-/ },
    rabbitmq: { send: 'AMQP\0\0\x09\x01', version: /versionS\0\0\0.([\d.]+)/ },
  }

const defaultPorts: Readonly<Record<BrokerName, number>> = {
  nats: 4222,
  redis: 6379,
  rabbitmq: 5672,
  kafka: 9092,
  'gcp-pubsub': 8085,
}

/** The first server of a list, with or without a scheme. */
function parse(urls: string, broker: BrokerName): { hostname: string; port: number } {
  const first = urls.split(',')[0]!.trim()
  const url = new URL(first.includes('://') ? first : `tcp://${first}`)
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { hostname, port: Number(url.port) || defaultPorts[broker] }
}

function enough(version: RegExp | undefined): (answer: Buffer) => boolean {
  return (answer) => version === undefined || version.test(answer.toString('latin1'))
}
