import cluster, { type Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@asbru/core'
import { Fault } from '../fault.ts'
import type { Listening } from '../relay.ts'
import { type MetricsMessage, metricsOfAll } from './shared-metrics.ts'
import { type StopWorker, WORKER_VARIABLE, type WorkerServes } from './worker.ts'

/** The first restart waits so long, and each further one twice as long as the one before. */
const LEAST_BACK_OFF_MS = 100
const MOST_BACK_OFF_MS = 10_000
/** A worker that served for so long did not end for what ended the one before it. */
const STEADY_MS = 10_000

/** What the workers of one machine have in common. */
export interface WorkersOptions {
  /** How many there are. */
  readonly count: number
  /** Each is called so, with its number. */
  readonly name: string
  readonly logger: Logger
}

/** How a worker ended. */
interface End {
  readonly code: number | null
  readonly signal: string | null
  /** For how long it served, if it did. */
  readonly servedMs: number | undefined
}

/** Processes that run the same command as this one, share its listeners, and are replaced when they end. */
export class Workers {
  readonly #options: WorkersOptions
  readonly #running = new Set<Worker>()
  readonly #serving = new Set<Worker>()
  readonly #kept: Promise<void>[] = []
  readonly #stopping = new AbortController()

  constructor(options: WorkersOptions) {
    this.#options = options
  }

  /**
   * Starts one, then the others, so that what is wrong is said once; resolves with where they serve once all do, or once
   * all are to stop.
   * @throws {Fault} if one ends before
   */
  async start(): Promise<Listening> {
    const listening = await this.#first(1)
    if (this.#stopping.signal.aborted) return listening
    const others = Array.from({ length: this.#options.count - 1 }, (_, i) => this.#first(i + 2))
    await Promise.all(others)
    return listening
  }

  /** Tells all to drain, and resolves once they have ended. */
  async stop(stop: NodeJS.Signals): Promise<void> {
    this.#stopping.abort()
    for (const worker of this.#running) {
      // One whose channel is closed is about to end.
      if (worker.isConnected()) worker.send({ stop } satisfies StopWorker)
    }
    await Promise.all(this.#kept)
  }

  /** Starts the worker of a number, and from then on keeps one running under it. */
  #first(number: number): Promise<Listening> {
    const name = `${this.#options.name}-${number}`
    return new Promise((resolve, reject) => {
      const keep = async (): Promise<void> => {
        let isServing = false
        const end = await this.#run(name, (listening) => {
          isServing = true
          resolve(listening)
        })
        if (isServing) await this.#keep(name, end)
        else reject(new Fault(`the worker ${name} ended before it served`))
      }
      this.#kept.push(keep())
    })
  }

  /** Replaces whatever ended, until all are to stop. */
  async #keep(worker: string, first: End): Promise<void> {
    const { logger } = this.#options
    let end = first
    let backOffMs = LEAST_BACK_OFF_MS
    while (!this.#stopping.signal.aborted) {
      const { code, signal, servedMs = 0 } = end
      if (servedMs >= STEADY_MS) backOffMs = LEAST_BACK_OFF_MS
      logger.error({ worker, code, signal, backOffMs }, 'a worker ended: another takes its place')
      await delay(backOffMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      backOffMs = Math.min(2 * backOffMs, MOST_BACK_OFF_MS)
      end = await this.#run(worker, () => {})
    }
  }

  /** Runs one worker to its end. */
  #run(name: string, onServing: (listening: Listening) => void): Promise<End> {
    const worker = cluster.fork({ [WORKER_VARIABLE]: name })
    const { logger } = this.#options
    const known = { worker: name, pid: worker.process.pid }
    logger.debug(known, 'a worker starts')
    this.#running.add(worker)
    let since: number | undefined
    worker.on('message', ({ listening, wantMetrics }: Partial<WorkerServes> & MetricsMessage) => {
      if (wantMetrics !== undefined) void this.#giveMetrics(worker, wantMetrics)
      if (listening === undefined) return
      this.#serving.add(worker)
      since = performance.now()
      logger.info(known, 'a worker serves')
      onServing(listening)
    })
    // It may end while it is told something.
    worker.on('error', (err) => logger.warn({ ...known, err }, 'a worker could not be told'))
    return new Promise((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => {
        this.#running.delete(worker)
        this.#serving.delete(worker)
        const servedMs = since === undefined ? undefined : performance.now() - since
        resolve({ code, signal, servedMs })
      })
    })
  }

  /** Whichever worker is asked for metrics has those of all. */
  async #giveMetrics(asker: Worker, number: number): Promise<void> {
    const serving = [...this.#serving].filter((worker) => worker.isConnected())
    const metrics = { number, of: await metricsOfAll(serving) }
    if (asker.isConnected()) asker.send({ metrics } satisfies MetricsMessage)
  }
}
