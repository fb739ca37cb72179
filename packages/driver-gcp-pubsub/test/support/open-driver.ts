// A process with an open driver, for tests that kill it: node open-driver.ts <host:port>
import { gcpPubsubDriver } from '@asbru/driver-gcp-pubsub'

const apiEndpoint = process.argv[2]!
const driver = gcpPubsubDriver({ connection: { projectId: 'test', apiEndpoint } })
await driver.open({ message() {}, status() {} }, { replica: 'killed', namespace: 'test' })
process.stdout.write('open\n')
