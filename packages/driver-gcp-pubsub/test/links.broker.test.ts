import { bytes, describeNetworks } from '@asbru/trials'
import { expect, test } from 'vitest'
import { pubsubUnderTest, pubsubWay } from './support/pubsub-under-test.ts'
import { reader } from './support/reader.ts'

const pubsub = await pubsubUnderTest()
const { connection, proxy } = pubsub

describeNetworks({ name: 'Pub/Sub', proxies: [proxy], ways: [pubsubWay(pubsub)] })

test('publishing is refused within the time that was asked for while nobody answers', async () => {
  const { driver } = await reader({ connection, timeoutMs: 1_000 })
  proxy.stall()
  const begin = performance.now()
  await expect(driver.publish({ topic: 'refused', payload: bytes('') })).rejects.toMatchObject({
    code: 4,
  })
  expect(performance.now() - begin).toBeLessThan(3_000)
})
