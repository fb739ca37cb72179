/**
 * Runs every test and counts. The counts come from the runner's own report, never from its text,
 * and what cannot even be run (a file that does not load, a hook that throws) counts as failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { choiceLine, chosenGroups, clusterLine } from './test-groups.mjs'
import { provideTestNeeds } from './test-needs.mjs'
import { run } from './run.mjs'

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Provides what the tests need, builds, and runs all tests: first those that need no broker, then, one
 * file at a time, those against the real brokers that `ASBRU_TEST_BROKERS` chooses: all, unless it says
 * otherwise. They are started and ended by the tests themselves. With arguments for vitest it runs what they name.
 *
 * @param {readonly string[]} args
 * @returns {Promise<Counts>}
 */
export async function runTests(args) {
  const asked = process.env.ASBRU_TEST_BROKERS
  const chosen = chosenGroups(asked)
  const named = chosen.join(',')
  // To vitest, arguments that name no test are an error: they go to one run alone.
  const suites = new Set(args.length === 0 ? ['', named] : [asked === undefined ? '' : named])
  const env = await provideTestNeeds()
  const buildCode = await run('tsc', ['-b', 'tsconfig.build.json'])
  const total = { passed: 0, failed: Number(buildCode !== 0), skipped: 0 }
  for (const ASBRU_TEST_BROKERS of suites) {
    const counts = await runVitest(args, { ...env, ASBRU_TEST_BROKERS })
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
  }
  if (args.length === 0) {
    console.log(choiceLine(chosen))
    console.log(clusterLine(process.env.ASBRU_CLUSTER_TESTS))
  }
  return total
}

/**
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Counts>}
 */
async function runVitest(args, env) {
  const dir = mkdtempSync(`${tmpdir()}/asbru-tests-`)
  const report = `${dir}/report.json`
  const code = await run(
    'vitest',
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    { env },
  )
  const counts = count(report)
  rmSync(dir, { recursive: true })
  // A run that failed without a failed test is a failure too.
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts
}

/**
 * @param {Counts} counts
 * @returns {string}
 */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : '')
}

/**
 * @param {string} report
 * @returns {Counts}
 */
function count(report) {
  const { numPassedTests, numPendingTests, numTodoTests, testResults } = readReport(report)
  let failed = 0
  for (const file of testResults) {
    const tests = file.assertionResults.filter(({ status }) => status === 'failed').length
    failed += file.status === 'failed' ? Math.max(tests, 1) : 0
  }
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests }
}

/**
 * @typedef {{ status: string, assertionResults: { status: string }[] }} TestFile
 * @param {string} report
 * @returns {{ numPassedTests: number, numPendingTests: number, numTodoTests: number, testResults: TestFile[] }}
 */
function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    // The runner ended before it could write one, and has said why.
    return { numPassedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  }
}
