import { chosenGroups } from '../../scripts/test-groups.mjs'
import { brokerNames, type BrokerName } from './broker.ts'

/** The brokers to test with: those that `ASBRU_TEST_BROKERS` chooses (`nats,redis`), all if it is empty or `all`. */
export function selectedBrokers(): readonly BrokerName[] {
  const chosen = chosenGroups(process.env['ASBRU_TEST_BROKERS'])
  return brokerNames.filter((name) => chosen.includes(name))
}
