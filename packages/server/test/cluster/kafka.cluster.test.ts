import { describeCluster } from './describe-cluster.ts'
import { kafka } from './modes/kafka.ts'

describeCluster(kafka)
