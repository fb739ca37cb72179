/**
 * Runs every test and counts. The counts come from the runner's own report, never from its text,
 * and what cannot even be run (a file that does not load, a hook that throws) counts as failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { provideTestNeeds } from './test-needs.mjs'
import { run } from './run.mjs'

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Provides what the tests need, builds, and runs vitest with the given arguments.
 *
 * @param {readonly string[]} args
 * @returns {Promise<Counts>}
 */
export async function runTests(args) {
  const env = await provideTestNeeds()
  const buildCode = await run('tsc', ['-b', 'tsconfig.build.json'])
  const dir = mkdtempSync(`${tmpdir()}/asbru-tests-`)
  const report = `${dir}/report.json`
  const code = await run(
    'vitest',
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    { env },
  )
  const counts = count(report)
  rmSync(dir, { recursive: true })
  const silentlyFailed = code !== 0 && counts.failed === 0
  return { ...counts, failed: counts.failed + Number(silentlyFailed) + Number(buildCode !== 0) }
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
