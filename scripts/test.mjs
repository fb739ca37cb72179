/** `npm test`: every test from a fresh clone, then the count. Arguments go on to vitest. */
import { install } from './install.mjs'
import { countLine, runTests } from './run-tests.mjs'

await install()
const counts = await runTests(process.argv.slice(2))
console.log(countLine(counts))
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0
