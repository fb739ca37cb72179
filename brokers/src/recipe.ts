/** How one instance of a broker is run natively. A recipe has installed it before it returns this. */
export interface Recipe {
  readonly version: string
  readonly url: string
  readonly port: number
  readonly ports?: Readonly<Record<string, number>>
  /** In the order of their start. */
  readonly processes: readonly [ProcessPlan, ...ProcessPlan[]]
  /** True once clients are served; asked again and again, so it must not throw. */
  ready(): Promise<boolean>
}

/** One process of a broker. */
export interface ProcessPlan {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
  /** A companion that a crash of the broker does not touch, such as RabbitMQ's epmd. */
  readonly outlivesKill?: boolean
  /** Where ending the process would lose what a real broker keeps: signals that cut and restore its port. */
  readonly outage?: { readonly cut: NodeJS.Signals; readonly restore: NodeJS.Signals }
  /** The next process starts only when this is true. */
  started?(): Promise<boolean>
}

/** Where an instance lives, for its recipe. */
export interface Site {
  /** Holds configuration, data and logs; removed in the end. */
  readonly dir: string
  /** Reserves a port that stays the instance's own, also while the broker is down. */
  readonly reservePort: () => Promise<number>
}

/** Installs a broker on first use, writes its configuration, and plans its processes. */
export type MakeRecipe<Options> = (site: Site, options: Options) => Promise<Recipe>
