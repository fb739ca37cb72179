/** `npm run demo`: from a fresh clone to the running demo. Arguments go on to `asbru demo`. */
import { install } from './install.mjs'
import { mustRun, run } from './run.mjs'

await install()
await mustRun('tsc', ['-b', 'packages/server'])
const args = process.argv.slice(2)
process.exitCode = await run('node', ['packages/server/bin/asbru.js', 'demo', ...args])
