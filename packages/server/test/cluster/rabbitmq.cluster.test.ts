import { describeCluster } from './describe-cluster.ts'
import { rabbitmqExchange, rabbitmqStream } from './modes/rabbitmq.ts'

describeCluster(rabbitmqExchange)
describeCluster(rabbitmqStream)
