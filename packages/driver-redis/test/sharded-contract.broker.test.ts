import { describeDriver } from '@asbru/driver-contract'
import { clusterHarness, clusterUnderTest } from './support/cluster-harness.ts'

describeDriver(clusterHarness(await clusterUnderTest()))
