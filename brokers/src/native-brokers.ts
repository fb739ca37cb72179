import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerName } from './broker.ts'
import { Instance } from './instance.ts'
import { lock } from './lock.ts'
import { reservePort } from './ports.ts'
import { endGroup, isRunning, type ProcessGroup } from './process-group.ts'
import { endWithUs, forget } from './reaper.ts'
import { recipes } from './recipes.ts'
import type { Report } from './report.ts'
import { requireLinux } from './require-linux.ts'
import { scratch } from './scratch.ts'

/** What a later command needs to find the broker again. */
interface Saved {
  readonly report: Report
  /** In the order of their start. */
  readonly groups: readonly ProcessGroup[]
}

/** Starts a broker that outlives this process, unless it runs already. */
export function nativeUp(broker: BrokerName): Promise<Report> {
  return alone(broker, async () => {
    const running = nativeStatus(broker)
    if (running.state === 'up') return running
    await end(broker)
    const dir = folder(broker)
    mkdirSync(dir, { recursive: true })
    const site = { dir, reservePort: async () => (await reservePort()).port }
    const recipe = await recipes[broker](site, {})
    // Until it is ready and can be found again, it must not be left alone.
    const instance = new Instance(recipe, dir, { started: endWithUs, ended: forget })
    try {
      await instance.start()
    } catch (error) {
      await instance.end()
      throw error
    }
    const groups = [...instance.groups.values()]
    const { version, url } = recipe
    const { pid } = groups.at(-1)!
    const report: Report = { broker, state: 'up', from: 'native', version, url, pid }
    save(broker, { report, groups })
    for (const group of groups) forget(group.pid)
    return report
  })
}

/** Ends the broker, and removes its data. */
export function nativeDown(broker: BrokerName): Promise<Report> {
  return alone(broker, async () => {
    await end(broker)
    return { broker, state: 'down', from: 'native' }
  })
}

/** Whether `nativeUp` started it and it still runs. */
export function nativeStatus(broker: BrokerName): Report {
  const saved = load(broker)
  return saved?.groups.every(isRunning) === true ? saved.report : { broker, state: 'down' }
}

/** What its processes have written, process by process. */
export function nativeLogs(broker: BrokerName): string {
  const files = globSync(join(folder(broker), '*.log')).toSorted()
  return files.map((file) => readFileSync(file, 'utf8')).join('')
}

async function end(broker: BrokerName): Promise<void> {
  for (const group of load(broker)?.groups.toReversed() ?? []) await endGroup(group)
  rmSync(folder(broker), { recursive: true, force: true, maxRetries: 5 })
}

async function alone<T>(broker: BrokerName, act: () => Promise<T>): Promise<T> {
  requireLinux()
  mkdirSync(scratch('up'), { recursive: true })
  const unlock = await lock(scratch('up', `${broker}.lock`))
  try {
    return await act()
  } finally {
    unlock()
  }
}

function folder(broker: BrokerName): string {
  return scratch('up', broker)
}

function save(broker: BrokerName, saved: Saved): void {
  writeFileSync(join(folder(broker), 'saved.json'), JSON.stringify(saved))
}

function load(broker: BrokerName): Saved | undefined {
  try {
    return JSON.parse(readFileSync(join(folder(broker), 'saved.json'), 'utf8')) as Saved
  } catch {
    return undefined // never started, or ended
  }
}
