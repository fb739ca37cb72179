/** Tells whether an id was seen among the latest so many, or up to twice as many. */
export class RecentIds {
  readonly #size: number
  #newer = new Set<string>()
  #older = new Set<string>()

  constructor(size: number) {
    this.#size = size
  }

  /** Notes an id; `false` if it was there already. */
  add(id: string): boolean {
    if (this.#newer.has(id) || this.#older.has(id)) return false
    // Two sets that take turns cost less than one that drops its oldest each time.
    if (this.#newer.size >= this.#size) {
      this.#older = this.#newer
      this.#newer = new Set()
    }
    this.#newer.add(id)
    return true
  }
}
