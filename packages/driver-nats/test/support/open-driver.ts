// A process with an open driver, for tests that kill it: node open-driver.ts <url> <stream>
import { natsDriver } from '@asbru/driver-nats'

const [servers, stream] = process.argv.slice(2) as [string, string]
const driver = natsDriver({ connection: { servers }, jetstream: { stream }, prefix: `${stream}.` })
await driver.open({ message() {}, status() {} }, { replica: 'killed', namespace: 'test' })
process.stdout.write('open\n')
