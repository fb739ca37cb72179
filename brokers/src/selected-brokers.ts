import { brokerNames, type BrokerName, testGroups } from './broker.ts'

/**
 * The brokers to test with: those in `ASBRU_TEST_BROKERS` (`nats,redis`), all if it is empty or
 * `all`; `kubernetes` is a group of tests, and no broker. A name that is none throws, so that a typing error does not skip anything.
 */
export function selectedBrokers(): readonly BrokerName[] {
  const wanted = (process.env['ASBRU_TEST_BROKERS'] ?? '').split(',').map((name) => name.trim())
  const names = wanted.filter((name) => name !== '')
  if (names.length === 0 || names.includes('all')) return brokerNames
  return names.flatMap((name) => {
    if (!(testGroups as readonly string[]).includes(name))
      throw new Error(`ASBRU_TEST_BROKERS: '${name}' is none of ${testGroups.join(', ')}`)
    return brokerNames.filter((each) => each === name)
  })
}
