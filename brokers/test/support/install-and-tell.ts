/** node install-and-tell.ts FILE: installs a program that takes as long as FILE is not there. */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from '../../src/program-cache.ts'
import { until } from '../../src/until.ts'

const file = process.argv[2]!
const dir = await cachedProgram('probe', async (target) => {
  appendFileSync(`${file}.installs`, 'x')
  process.stdout.write('installing\n')
  await until(() => existsSync(file), 60_000)
  writeFileSync(join(target, 'program'), '')
})
process.stdout.write(`${dir} ${existsSync(join(dir, 'program'))}\n`)
