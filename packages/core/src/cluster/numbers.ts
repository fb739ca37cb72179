/** How many numbers above a hole are remembered. */
const MAX_AHEAD = 10_000

/** Which numbered messages of one sender came: all up to `top`, and some behind a hole. */
export class Numbers {
  #top = 0
  #last = 0
  readonly #ahead = new Set<number>()
  /** The least of them. */
  #least = Number.POSITIVE_INFINITY
  /** Holes up to here were judged. */
  #judged: number | undefined

  /** All up to here came. */
  get top(): number {
    return this.#top
  }

  /** The latest that came. */
  get last(): number {
    return this.#last
  }

  /** The first and last number of the first hole, if there is one. */
  get hole(): readonly [first: number, last: number] | undefined {
    if (this.#ahead.size === 0) return undefined
    return [this.#top + 1, this.#least - 1]
  }

  /**
   * Notes one; returns whether it did not come before, as far as that is remembered. What is not noted, since too many
   * wait behind a hole, counts as missing until all of them are known by other means.
   */
  add(n: number): boolean {
    if (n <= this.#top || this.#ahead.has(n)) return false
    this.#last = Math.max(this.#last, n)
    if (this.#ahead.size >= MAX_AHEAD) return true
    this.#ahead.add(n)
    this.#least = Math.min(this.#least, n)
    return true
  }

  /** Moves `top` up to the first hole. */
  advance(): void {
    if (this.#least > this.#top + 1) return
    while (this.#ahead.delete(this.#top + 1)) this.#top++
    this.#least = Number.POSITIVE_INFINITY
    for (const n of this.#ahead) this.#least = Math.min(this.#least, n)
  }

  /** All up to `n` is known by other means. */
  raise(n: number): void {
    if (n <= this.#top) return
    this.#top = n
    this.#last = Math.max(this.#last, n)
    this.#least = n
    for (const ahead of this.#ahead) if (ahead <= n) this.#ahead.delete(ahead)
    this.advance()
  }

  /** Whether, before `n`, something is missing that was not looked at before. What came first is no hole. */
  judge(n: number): boolean {
    const from = this.#judged ?? n - 1
    this.#judged = Math.max(from, n)
    for (let at = Math.max(from, this.#top) + 1; at < n; at++) if (!this.#ahead.has(at)) return true
    return false
  }
}
