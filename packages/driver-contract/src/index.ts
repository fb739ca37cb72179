export type { ContractCase, ContractGroup } from './contract-case.ts'
export { contractCases, describeDriver } from './describe-driver.ts'
export type { CreatedDriver, DriverHarness } from './harness.ts'
