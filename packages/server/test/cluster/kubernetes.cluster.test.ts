import { describeCluster } from './describe-cluster.ts'
import { peers } from './modes/kubernetes.ts'

describeCluster(peers)
