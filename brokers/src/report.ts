import type { BrokerName } from './broker.ts'

/** What a command tells of one broker, as a line of JSON on stdout. */
export interface Report {
  readonly broker: BrokerName
  readonly state: 'up' | 'down'
  /** Who runs it; absent if nobody does. */
  readonly from?: 'environment' | 'docker' | 'native'
  /** Absent if it cannot be told. */
  readonly version?: string
  readonly url?: string
  readonly pid?: number
}
