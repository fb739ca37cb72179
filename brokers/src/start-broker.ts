import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Broker, KillOptions, StartName, StartOptions } from './broker.ts'
import { Instance } from './instance.ts'
import { reservePort, type ReservedPort } from './ports.ts'
import { endWithUs, forget, mortalDir } from './reaper.ts'
import { requireLinux } from './require-linux.ts'
import type { MakeRecipe } from './recipe.ts'
import { recipes } from './recipes.ts'

/**
 * Starts a real broker of its own on free ports of 127.0.0.1 and resolves when it serves clients; it
 * ends with this process. The first use on a machine installs it.
 *
 * @example
 * const broker = await startBroker('redis')
 * const client = new Redis(broker.url)
 */
export async function startBroker<Name extends StartName>(
  name: Name,
  options: StartOptions[Name] = {},
): Promise<Broker<Name>> {
  requireLinux()
  const dir = mkdtempSync(join(mortalDir(), `${name}-`))
  const ports: ReservedPort[] = []
  const makeRecipe: MakeRecipe<StartOptions[Name]> = recipes[name]
  const clear = () => {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    for (const port of ports) port.release()
  }
  try {
    const recipe = await makeRecipe({ dir, reservePort: () => reserve(ports) }, options)
    const instance = new Instance(recipe, dir, { started: endWithUs, ended: forget })
    try {
      await instance.start()
    } catch (error) {
      await instance.end()
      throw error
    }
    const first = recipe.processes.find((plan) => !plan.outlivesKill)!.name
    let pid = instance.groups.get(first)!.pid
    let stopped: Promise<void> | undefined
    return {
      name,
      version: recipe.version,
      url: recipe.url,
      port: recipe.port,
      ports: recipe.ports ?? {},
      dir,
      get pid() {
        return pid
      },
      kill: (how?: KillOptions) => instance.kill(how),
      async start() {
        if (stopped !== undefined) throw new Error(`${name} was stopped, and its data is gone`)
        await instance.start()
        pid = instance.groups.get(first)!.pid
      },
      stop: () => (stopped ??= instance.end().then(clear)),
    }
  } catch (error) {
    clear()
    throw new Error(`cannot start ${name}: ${(error as Error).message}`, { cause: error })
  }
}

async function reserve(ports: ReservedPort[]): Promise<number> {
  const reserved = await reservePort()
  ports.push(reserved)
  return reserved.port
}
