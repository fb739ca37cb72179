import { describe, test } from 'vitest'
import type { ContractCase, ContractGroup } from './contract-case.ts'
import { deliveryCases } from './delivery.ts'
import { failureCases } from './failure.ts'
import type { DriverHarness } from './harness.ts'
import { lifecycleCases } from './lifecycle.ts'
import { loadCases } from './load.ts'
import { logCases } from './logs.ts'
import { orderingCases } from './ordering.ts'
import { patternCases } from './patterns.ts'
import { resumeCases } from './resume.ts'

const GROUPS: readonly ContractGroup[] = [
  'delivery',
  'ordering',
  'lifecycle',
  'failure',
  'resume',
  'load',
]
/** A case with every wait at the end of its patience is still told apart from one that hangs. */
const CASE_TIMEOUT_MS = 180_000

/** All cases as data, for those who want to run some of them in their own way. */
export const contractCases: readonly ContractCase[] = [
  ...deliveryCases,
  ...patternCases,
  ...orderingCases,
  ...lifecycleCases,
  ...failureCases,
  ...resumeCases,
  ...logCases,
  ...loadCases,
]

/**
 * Registers the suite that every driver must pass with vitest.
 *
 * @example
 * describeDriver({ name: 'memory', create: async () => ({ driver: memoryDriver({ broker }), dispose: async () => {} }) })
 */
export function describeDriver(harness: DriverHarness): void {
  describe(`driver ${harness.name}`, () => {
    for (const group of GROUPS) {
      describe(group, () => {
        for (const contractCase of contractCases) {
          if (contractCase.group !== group || !isFor(contractCase, harness)) continue
          test(contractCase.title, { timeout: CASE_TIMEOUT_MS }, () => contractCase.run(harness))
        }
      })
    }
  })
}

function isFor({ needs }: ContractCase, harness: DriverHarness): boolean {
  return needs === undefined || harness[needs] !== undefined
}
