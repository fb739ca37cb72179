import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { bytes, opened, until } from './support/opened.ts'
import { redisUnderTest } from './support/redis-harness.ts'

const { broker, plain } = await redisUnderTest()

test('tells equal messages apart while overlapping subscriptions come and go', async () => {
  const reader = await opened({ connection: broker.url }, 'pets.dogs')
  let sent = 0
  const changing = new AbortController()
  const publishing = (async () => {
    for (; !changing.signal.aborted; sent++) await plain.publish('pets.dogs', 'woof')
  })()
  for (let change = 0; change < 1_000; change++) {
    const [one, other] = change % 3 === 0 ? ['pets.dogs', 'pets.*'] : ['pets.*', 'pets.dogs']
    await reader.driver.subscribe(one)
    await reader.driver.unsubscribe(other)
    await reader.driver.subscribe(other)
  }
  changing.abort()
  await publishing
  await until(() => reader.messages.length >= sent)
  await reader.driver.publish({ topic: 'pets.dogs', payload: bytes('last') })
  await until(() => reader.all.at(-1) === 'last')
  expect(reader.messages).toHaveLength(sent + 1)
})

test('leaves no connection behind when it is closed', async () => {
  const before = await connectionCount()
  const drivers = [
    await opened({ connection: broker.url }, 'a', 'b.*'),
    await opened({ connection: broker.url, mode: 'streams' }, 'a'),
  ]
  expect(await connectionCount()).toBe(before + 4)
  for (const { driver } of drivers) await driver.close()
  await until(async () => (await connectionCount()) === before)
  expect(await plain.pubsub('CHANNELS')).toEqual([])
})

test('leaves no connection behind when its process is killed', async () => {
  const before = await connectionCount()
  const script = `
    import { redisDriver } from '@asbru/driver-redis'
    const driver = redisDriver({ connection: '${broker.url}' })
    await driver.open({ message() {}, status() {} }, { replica: 'r', namespace: 'n' })
    await driver.subscribe('news')
    await driver.subscribe('pets.*')
    process.stdout.write('ready')`
  const child = spawn(
    process.execPath,
    ['--conditions=@asbru/source', '--input-type=module', '-e', script],
    {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(child.stdout, 'data')
  expect(await plain.pubsub('CHANNELS')).toEqual(['news'])
  child.kill('SIGKILL')
  await until(async () => (await connectionCount()) === before)
  expect(await plain.pubsub('CHANNELS')).toEqual([])
  expect(await plain.pubsub('NUMPAT')).toBe(0)
})

async function connectionCount(): Promise<number> {
  return String(await plain.client('LIST'))
    .trim()
    .split('\n').length
}
