import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { README, readmeWithTable } from './support/driver-table.ts'

test('the README says of the drivers what they say of themselves (pnpm docs:drivers)', () => {
  const readme = readFileSync(README, 'utf8')
  expect(readme).toContain('| [memory]')
  expect(readme).toBe(readmeWithTable(readme))
})
