import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KillOptions } from './broker.ts'
import {
  endGroup,
  isRunning,
  signalLeader,
  spawnGroup,
  type ProcessGroup,
} from './process-group.ts'
import type { ProcessPlan, Recipe } from './recipe.ts'
import { until } from './until.ts'

/** A healthy broker takes seconds; a machine under load a multiple of that. */
const readyWithinMs = 120_000

/** Who is told of the groups that start and end. */
export interface GroupWatch {
  started(pid: number): void
  ended(pid: number): void
}

/** The running processes of a recipe. */
export class Instance {
  readonly #recipe: Recipe
  readonly #dir: string
  readonly #watch: GroupWatch
  readonly #groups = new Map<string, ProcessGroup>()

  constructor(recipe: Recipe, dir: string, watch: GroupWatch) {
    this.#recipe = recipe
    this.#dir = dir
    this.#watch = watch
  }

  get groups(): ReadonlyMap<string, ProcessGroup> {
    return this.#groups
  }

  /** Starts what does not run, and resolves when clients are served. */
  async start(): Promise<void> {
    for (const plan of this.#recipe.processes) {
      await this.#startProcess(plan)
      await this.#reached(() => plan.started?.() ?? true)
    }
    await this.#reached(() => this.#recipe.ready())
  }

  async kill({ signal = 'SIGKILL', only }: KillOptions = {}): Promise<void> {
    const all = this.#recipe.processes.filter((plan) => !plan.outlivesKill)
    const plans = only === undefined ? all : all.filter((plan) => plan.name === only)
    if (plans.length === 0) throw new Error(`no process is named ${only}`)
    await Promise.all(plans.map((plan) => this.#cut(plan, signal)))
  }

  /** Ends all processes, in the reverse order of their start. */
  async end(): Promise<void> {
    for (const plan of this.#recipe.processes.toReversed()) await this.#endProcess(plan, 'SIGKILL')
  }

  async #startProcess(plan: ProcessPlan): Promise<void> {
    const running = this.#groups.get(plan.name)
    if (running !== undefined && isRunning(running)) {
      // Also when its port was never cut: it then takes no notice.
      if (plan.outage !== undefined) signalLeader(running, plan.outage.restore)
      return
    }
    if (running !== undefined) await this.#endProcess(plan, 'SIGKILL')
    const group = await spawnGroup(
      plan.command,
      { cwd: this.#dir, env: plan.env, logFile: this.#logFile(plan) },
      (pid) => this.#watch.started(pid),
    )
    this.#groups.set(plan.name, group)
  }

  async #cut(plan: ProcessPlan, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const group = this.#groups.get(plan.name)
    if (group === undefined || plan.outage === undefined) return this.#endProcess(plan, signal)
    signalLeader(group, plan.outage.cut)
    if (!(await until(async () => !(await this.#recipe.ready()), 15_000))) {
      throw new Error(`${plan.name} still answers after ${plan.outage.cut}`)
    }
  }

  async #endProcess(plan: ProcessPlan, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const group = this.#groups.get(plan.name)
    if (group === undefined) return
    await endGroup(group, signal)
    this.#groups.delete(plan.name)
    this.#watch.ended(group.pid)
  }

  async #reached(condition: () => boolean | Promise<boolean>): Promise<void> {
    let ended: ProcessPlan | undefined
    const reached = await until(async () => {
      if (await condition()) return true
      ended = this.#recipe.processes.find(({ name }) => {
        const group = this.#groups.get(name)
        return group !== undefined && !isRunning(group)
      })
      return ended !== undefined
    }, readyWithinMs)
    if (ended !== undefined) throw new Error(`${ended.name} ended at once:\n${this.#tail(ended)}`)
    if (!reached) {
      const tail = this.#tail(this.#recipe.processes.at(-1)!)
      throw new Error(`not ready after ${readyWithinMs / 1000} s:\n${tail}`)
    }
  }

  #logFile(plan: ProcessPlan): string {
    return join(this.#dir, `${plan.name}.log`)
  }

  #tail(plan: ProcessPlan): string {
    return readFileSync(this.#logFile(plan), 'utf8').trimEnd().split('\n').slice(-10).join('\n')
  }
}
