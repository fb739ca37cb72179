import { kafkaDriver } from '@asbru/driver-kafka'
import { afterAll, expect, test } from 'vitest'
import { startBroker } from '@asbru/brokers'
import { bytes, opened, until } from './support/opened.ts'

const LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required'

const broker = await startBroker('kafka', {
  properties: {
    'listener.security.protocol.map': 'CLIENT:SASL_PLAINTEXT,LOCAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'listener.name.client.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.client.plain.sasl.jaas.config': `${LOGIN} user_relay="secret";`,
  },
})
afterAll(() => broker.stop())

test('reads and publishes with a password', async () => {
  const sasl = { mechanism: 'plain', username: 'relay', password: 'secret' } as const
  const reader = await opened({ connection: { brokers: [broker.url], sasl } }, 'news')
  await reader.driver.publish({ topic: 'news', payload: bytes('hello') })
  await until(() => reader.all.includes('hello'))
  expect(reader.all).toEqual(['connected', 'hello'])
})

test("fails to open with a wrong password at once, with the client's error", async () => {
  const sasl = { mechanism: 'plain', username: 'relay', password: 'wrong' } as const
  const driver = kafkaDriver({ connection: { brokers: [broker.url], sasl }, startTimeoutMs: 0 })
  const receiver = { message() {}, status() {} }
  const opening = driver.open(receiver, { replica: 'r', namespace: 'n' })
  await expect(opening).rejects.toMatchObject({ name: 'KafkaJSSASLAuthenticationError' })
  await driver.close()
})
