import type { Schedule } from './schedule.ts'
import { type MakeStore, type Outcome, simulate } from './simulation.ts'

/** What a schedule breaks, and the shortest part of it that breaks the same rule. */
export async function explain(schedule: Schedule, makeStore: MakeStore): Promise<string> {
  const { failures } = await simulate(schedule, makeStore)
  const [first] = failures
  if (first === undefined) return `seed ${schedule.seed} holds`
  const shortest = await minimise(schedule, first.rule, makeStore)
  const lines: string[] = []
  await simulate(shortest, makeStore, (line) => lines.push(line))
  return [`seed ${schedule.seed} breaks rule ${first.rule}:`, ...lines].join('\n')
}

/** Leaves out one act after the other, as long as the rule still breaks. */
async function minimise(schedule: Schedule, rule: string, makeStore: MakeStore): Promise<Schedule> {
  let shortest = schedule
  for (let at = 0; at < shortest.acts.length;) {
    const shorter = { ...shortest, acts: shortest.acts.toSpliced(at, 1) }
    if (breaks(await simulate(shorter, makeStore), rule)) {
      shortest = shorter
      at = 0
    } else {
      at++
    }
  }
  return shortest
}

function breaks({ failures }: Outcome, rule: string): boolean {
  return failures.some((failure) => failure.rule === rule)
}
