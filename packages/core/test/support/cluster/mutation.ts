import type { Replacement } from './load-store.ts'
import type { MadeSchedule } from './made-schedules.ts'

/** A rule taken out of the source of the store, and where it is needed. */
export interface Mutation extends Replacement {
  readonly rule: string
  /** The made schedule that needs it. @default those of chance */
  readonly schedule?: MadeSchedule
  /** A schedule of chance that needed it: it is tried first, since the rule is seldom needed. */
  readonly seed?: number
  /** @default 'low' */
  readonly limits?: 'low' | 'own'
}
