import type { BrokerUnderTest, ClusterMode } from './cluster-mode.ts'
import type { Length } from './length.ts'

/** Declares the tests of one thing that holds in every mode. */
export type Scenario = (mode: ClusterMode, broker: () => BrokerUnderTest, length: Length) => void
