import type { DriverHarness } from './harness.ts'
import { Stage } from './stage.ts'

/** The six groups, in the order of the reports. */
export type ContractGroup = 'delivery' | 'ordering' | 'lifecycle' | 'failure' | 'resume' | 'load'

/** One fact that holds for every driver. */
export interface ContractCase {
  readonly group: ContractGroup
  readonly title: string
  /** The method that a harness must have for it. */
  readonly needs: 'breakConnection' | 'publishPlain' | undefined
  /** Resolves if the fact holds, and rejects with the difference if not. */
  run(harness: DriverHarness): Promise<void>
}

/** What a case does on a stage of its own. */
export type ContractScript = (stage: Stage) => Promise<void>

/** Makes cases of scripts by their titles; each gets topics and drivers of its own, closed at its end. */
export function casesOf(
  group: ContractGroup,
  scripts: Readonly<Record<string, ContractScript>>,
  needs?: ContractCase['needs'],
): ContractCase[] {
  return Object.entries(scripts).map(([title, script]) => ({
    group,
    title,
    needs,
    async run(harness) {
      const stage = new Stage(harness)
      try {
        await script(stage)
      } finally {
        await stage.clear()
      }
    },
  }))
}
