import type { Clock } from '../clock.ts'

/**
 * Calls for each item once its time to live is over, unless it was taken out before. Items of one TTL fall
 * due in the order in which they came, so that one timer serves all of them: a timer for each would take
 * more memory than many an item.
 */
export class TtlQueues<Item> {
  readonly #clock: Clock
  readonly #onDue: (item: Item) => void
  readonly #queues = new Map<number, Queue<Item>>()

  constructor(clock: Clock, onDue: (item: Item) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  add(item: Item, ttlMs: number): void {
    let queue = this.#queues.get(ttlMs)
    if (queue === undefined) {
      queue = { dueAt: new Map(), cancel: undefined }
      this.#queues.set(ttlMs, queue)
    }
    // Behind all others, also if it stands there already.
    queue.dueAt.delete(item)
    queue.dueAt.set(item, this.#clock.now() + ttlMs)
    queue.cancel ??= this.#clock.after(ttlMs, () => this.#expire(ttlMs, queue))
  }

  delete(item: Item, ttlMs: number): void {
    const queue = this.#queues.get(ttlMs)
    if (queue?.dueAt.delete(item) !== true || queue.dueAt.size > 0) return
    queue.cancel?.()
    this.#queues.delete(ttlMs)
  }

  clear(): void {
    for (const queue of this.#queues.values()) queue.cancel?.()
    this.#queues.clear()
  }

  #expire(ttlMs: number, queue: Queue<Item>): void {
    queue.cancel = undefined
    const now = this.#clock.now()
    for (const [item, dueAt] of queue.dueAt) {
      if (dueAt > now) {
        // At least a millisecond: timers round down what they are asked for.
        const wait = Math.max(1, Math.ceil(dueAt - now))
        queue.cancel ??= this.#clock.after(wait, () => this.#expire(ttlMs, queue))
        return
      }
      queue.dueAt.delete(item)
      this.#onDue(item)
    }
    if (queue.dueAt.size > 0 || this.#queues.get(ttlMs) !== queue) return
    this.#queues.delete(ttlMs)
  }
}

interface Queue<Item> {
  /** First in, first due. */
  readonly dueAt: Map<Item, number>
  cancel: (() => void) | undefined
}
