import { chosenGroups } from '../../scripts/test-groups.mjs'
import type { StartName } from './broker.ts'
import { recipes } from './recipes.ts'
import { say } from './say.ts'
import { startBroker } from './start-broker.ts'

/**
 * Runs before the tests that need brokers: installs what this machine has not yet, and says what there is. All
 * that cannot be had is named at once, and fails the run.
 */
export async function setup(): Promise<void> {
  const missing: string[] = []
  const chosen = chosenGroups(process.env['ASBRU_TEST_BROKERS'])
  const names = (Object.keys(recipes) as StartName[]).filter((name) => chosen.includes(name))
  for (const name of names) {
    try {
      const broker = await startBroker(name)
      say(`testing with ${name} ${broker.version}`)
      await broker.stop()
    } catch (error) {
      missing.push((error as Error).message)
    }
  }
  if (missing.length > 0) throw new Error(missing.join('\n'))
}
