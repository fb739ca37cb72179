import { describeAbsence, describeNetworks, describeOutages } from '@asbru/trials'
import { clusterUnderTest, clusterWay } from './support/cluster-harness.ts'

const cluster = await clusterUnderTest()
const ways = [clusterWay(cluster)]
const trial = { name: 'a Redis cluster', broker: cluster.broker, ways }

describeOutages(trial)
describeAbsence(trial)
describeNetworks({ ...trial, proxies: cluster.proxies })
