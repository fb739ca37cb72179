import { describeCluster } from './describe-cluster.ts'
import { gcpPubsub } from './modes/gcp-pubsub.ts'

describeCluster(gcpPubsub)
