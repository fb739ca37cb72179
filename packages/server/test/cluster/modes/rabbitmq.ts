import { Buffer } from 'node:buffer'
import { startBroker } from '@asbru/brokers'
import { type ConfirmChannel, connect } from 'amqplib'
import { behindDoors, type ClusterMode, type PlainPublisher } from '../support/cluster-mode.ts'

/** A topic exchange: nothing is kept. */
export const rabbitmqExchange: ClusterMode = {
  name: 'RabbitMQ exchange',
  hasLog: false,
  start: (replicas) => started(replicas, []),
}

/** A stream behind the exchange keeps what is published. */
export const rabbitmqStream: ClusterMode = {
  name: 'RabbitMQ stream',
  hasLog: true,
  start: (replicas) => started(replicas, ['--driver.stream.name=asbru-stream']),
}

async function started(
  replicas: number,
  more: readonly string[],
): ReturnType<ClusterMode['start']> {
  const broker = await startBroker('rabbitmq')
  return behindDoors({
    broker,
    replicas,
    argsFor: (port) => [
      '--driver=rabbitmq',
      `--driver.url=amqp://guest:guest@127.0.0.1:${port}`,
      ...more,
    ],
    publisher: await rabbitmqPublisher(broker.url),
  })
}

async function rabbitmqPublisher(url: string): Promise<PlainPublisher> {
  const model = await connect(url, {
    noDelay: true,
    recovery: { initialDelay: 100, maxDelay: 500 },
  })
  model.on('error', () => {})
  let channel: Promise<ConfirmChannel> | undefined
  await (channel = open())
  return {
    async publish(topic, payload) {
      const now = await (channel ??= open())
      await new Promise<void>((resolve, reject) => {
        now.publish('asbru', topic, Buffer.from(payload), { persistent: true }, (error) => {
          if (error === null) resolve()
          else reject(error as Error)
        })
      })
    },
    close: () => model.close(),
  }

  /** A connection takes its channels with it when it breaks. */
  async function open(): Promise<ConfirmChannel> {
    try {
      const made = await model.createConfirmChannel()
      made.on('error', () => {}).once('close', forget)
      await made.assertExchange('asbru', 'topic', { durable: true })
      return made
    } catch (error) {
      forget()
      throw error
    }
  }
  function forget(): void {
    channel = undefined
  }
}
