import { describeCluster } from './describe-cluster.ts'
import { natsCore, jetstream } from './modes/nats.ts'

describeCluster(natsCore)
describeCluster(jetstream)
