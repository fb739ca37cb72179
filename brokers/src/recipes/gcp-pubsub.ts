import { createHash } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedProgram } from '../program-cache.ts'
import type { Recipe, Site } from '../recipe.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'
import { listens } from '../tcp.ts'
import { pstestRepairs } from './pstest-repairs.ts'

/** Nothing can be chosen for Pub/Sub. */
export type GcpPubsubOptions = Record<string, never>

const module = 'cloud.google.com/go/pubsub/v2'
const source = fileURLToPath(new URL('../../pubsub-fake', import.meta.url))

/**
 * Google's own fake of Pub/Sub, pstest. It has its state in memory, so a kill is an outage: port and
 * connections close, the process lives on.
 */
export async function gcpPubsubRecipe({ reservePort }: Site): Promise<Recipe> {
  const manifest = readFileSync(join(source, 'go.mod'), 'utf8')
  const version = manifest.split(`${module} v`)[1]!.split('\n')[0]!
  const program = await pubsubFake(version)
  const port = await reservePort()
  const url = `127.0.0.1:${port}`
  return {
    version,
    url,
    port,
    processes: [
      {
        name: 'pubsub-fake',
        command: [program, url],
        outage: { cut: 'SIGUSR1', restore: 'SIGUSR2' },
      },
    ],
    ready: () => listens(port),
  }
}

async function pubsubFake(version: string): Promise<string> {
  const files = ['go.mod', 'go.sum', 'main.go'].map((file) => readFileSync(join(source, file)))
  const content = Buffer.concat([...files, Buffer.from(JSON.stringify(pstestRepairs))])
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 8)
  const dir = await cachedProgram(`pubsub-fake-${version}-${digest}`, async (target) => {
    const go = findProgram('go')
    if (go === undefined) throw new Error('it needs Docker, or Go 1.26 to build its fake')
    say(`building the fake of Pub/Sub ${version} with Go, which takes a minute`)
    // A copy that holds its dependencies, so that one of them can be repaired.
    const copy = join(target, 'source')
    cpSync(source, copy, { recursive: true })
    const options = { cwd: copy, env: { GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' } }
    await mustRun(go, ['mod', 'vendor'], options)
    const pstest = join(copy, 'vendor', module, 'pstest/fake.go')
    writeFileSync(pstest, repair(readFileSync(pstest, 'utf8')))
    await mustRun(go, ['build', '-mod=vendor', '-o', join(target, 'pubsub-fake'), '.'], options)
    rmSync(copy, { recursive: true })
  })
  return join(dir, 'pubsub-fake')
}

function repair(code: string): string {
  return pstestRepairs.reduce((repaired, { fault, find, replace }) => {
    const parts = repaired.split(find)
    if (parts.length !== 2) throw new Error(`this pstest is another one, cannot repair: ${fault}`)
    return parts.join(replace)
  }, code)
}
