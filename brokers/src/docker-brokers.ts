import { fileURLToPath } from 'node:url'
import type { BrokerName } from './broker.ts'
import type { Report } from './report.ts'
import { mustRun, run } from './run.ts'
import { say } from './say.ts'

const file = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))

/** True if a Docker engine answers and has the Compose plugin. */
export async function dockerAnswers(): Promise<boolean> {
  const engine = await run('docker', ['info', '--format', '{{.ServerVersion}}'])
  if (engine.code !== 0) return false
  const plugin = await run('docker', ['compose', 'version'])
  if (plugin.code !== 0) say('Docker is here, but not its Compose plugin')
  return plugin.code === 0
}

/** Starts the broker's service of docker-compose.yml, and waits until it is healthy. */
export async function dockerUp(broker: BrokerName): Promise<Report> {
  say(`starting ${broker} in Docker`)
  await compose(broker, 'up', '--detach', '--wait', broker)
  return dockerStatus(broker)
}

/** Ends the service and removes its container; its volume stays for the next start. */
export async function dockerDown(broker: BrokerName): Promise<Report> {
  await compose(broker, 'rm', '--stop', '--force', broker)
  return { broker, state: 'down', from: 'docker' }
}

/** Whether the service runs. */
export async function dockerStatus(broker: BrokerName): Promise<Report> {
  const running = await compose(broker, 'ps', '--status', 'running', '--services')
  if (!running.split('\n').includes(broker)) return { broker, state: 'down' }
  const config = JSON.parse(await compose(broker, 'config', '--format', 'json')) as Config
  const { image, ports } = config.services[broker]!
  const version = image.split(':').at(-1)!
  return { broker, state: 'up', from: 'docker', version, url: urls[broker](ports[0]!.published) }
}

/** What the service has written. */
export function dockerLogs(broker: BrokerName): Promise<string> {
  return compose(broker, 'logs', '--no-color', '--no-log-prefix', broker)
}

interface Config {
  readonly services: Partial<
    Record<BrokerName, { image: string; ports: readonly { published: string }[] }>
  >
}

const urls: Readonly<Record<BrokerName, (port: string) => string>> = {
  nats: (port) => `nats://127.0.0.1:${port}`,
  redis: (port) => `redis://127.0.0.1:${port}`,
  rabbitmq: (port) => `amqp://guest:guest@127.0.0.1:${port}`,
  kafka: (port) => `127.0.0.1:${port}`,
  'gcp-pubsub': (port) => `127.0.0.1:${port}`,
}

function compose(broker: BrokerName, ...args: readonly string[]): Promise<string> {
  return mustRun('docker', ['compose', '--file', file, '--profile', broker, ...args])
}
