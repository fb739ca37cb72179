/** node start-and-tell.ts BROKER: starts it, tells its folder and port, and lives on. */
import { startBroker, type BrokerName } from '@asbru/brokers'

const { dir, port } = await startBroker(process.argv[2] as BrokerName)
process.stdout.write(`${JSON.stringify({ dir, port })}\n`)
setInterval(() => {}, 60_000)
