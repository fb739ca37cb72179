import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from '../program-cache.ts'
import type { Recipe, Site } from '../recipe.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'
import { ask } from '../tcp.ts'

/** What can be chosen for NATS. */
export interface NatsOptions {
  /**
   * The release to build, if Go is here.
   *
   * @default '2.15.2'
   */
  version?: string
  /**
   * Further text for its configuration file, such as users and their permissions.
   *
   * @default ''
   */
  config?: string
}

/** NATS with JetStream: built by the Go toolchain, else what is installed. */
export async function natsRecipe(
  { dir, reservePort }: Site,
  { version = '2.15.2', config: more = '' }: NatsOptions,
): Promise<Recipe> {
  const program = await natsServer(version)
  const port = await reservePort()
  const config = join(dir, 'nats.conf')
  writeFileSync(
    config,
    [
      'host: 127.0.0.1',
      `port: ${port}`,
      `server_name: asbru-${port}`,
      `jetstream { store_dir: ${JSON.stringify(join(dir, 'data'))} }`,
      more,
      '',
    ].join('\n'),
  )
  const said = await mustRun(program, ['--version'])
  return {
    version: said.trim().replace(/^.*v/, ''),
    url: `nats://127.0.0.1:${port}`,
    port,
    processes: [{ name: 'nats-server', command: [program, '--config', config] }],
    // The greeting comes once JetStream has its streams again.
    async ready() {
      const greeting = await ask(port, '', (answer) => answer.includes('\n'))
      return greeting?.includes('"jetstream":true') ?? false
    },
  }
}

async function natsServer(version: string): Promise<string> {
  const go = findProgram('go')
  if (go === undefined) {
    const installed = findProgram('nats-server')
    if (installed !== undefined) return installed
    throw new Error('it needs Docker, or Go 1.26 to build it, or an installed nats-server')
  }
  const dir = await cachedProgram(`nats-server-${version}`, async (target) => {
    say(`building nats-server ${version} with Go, which takes a minute`)
    await mustRun(go, ['install', `github.com/nats-io/nats-server/v2@v${version}`], {
      env: { GOBIN: target, GOFLAGS: '', CGO_ENABLED: '0' },
    })
  })
  return join(dir, 'nats-server')
}
