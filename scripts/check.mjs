/** All that must hold for a change to be merged: `npm run check` here, and what CI runs. */
import { install } from './install.mjs'
import { run } from './run.mjs'
import { countLine, runTests } from './run-tests.mjs'

/** In order of cost; the packages are checked as they were built. */
const checks = ['format:check', 'lint', 'typecheck', 'knip', 'publint']

/** What is checked does not depend on which tests are chosen. */
const env = { ASBRU_TEST_BROKERS: '', ASBRU_CLUSTER_TESTS: '' }

await install()
const failedChecks = []
for (const name of checks) {
  console.log(`\n== ${name}`)
  if ((await run('npm', ['run', '--silent', name], { env })) !== 0) failedChecks.push(name)
}
console.log('\n== tests')
const counts = await runTests([])
if (failedChecks.length > 0) console.log(`Failed checks: ${failedChecks.join(', ')}`)
console.log(countLine(counts))
process.exitCode = failedChecks.length > 0 || counts.failed > 0 || counts.passed === 0 ? 1 : 0
