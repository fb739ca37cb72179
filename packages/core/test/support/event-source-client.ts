import { EventSource } from 'eventsource'
import { onTestFinished, vi } from 'vitest'

/** What an EventSource fired. */
export interface FiredEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

/** A real EventSource that keeps all that it fires, until the end of the test. */
export class EventSourceClient {
  readonly source: EventSource
  /** In the order of arrival. */
  readonly fired: FiredEvent[] = []
  /** How often it was connected. */
  opened = 0

  /** Listens to `message` and to the events called `names`. */
  constructor(url: string, names: readonly string[] = []) {
    this.source = new EventSource(url)
    this.source.addEventListener('open', () => this.opened++)
    for (const name of ['message', ...names]) {
      this.source.addEventListener(name, ({ type, data, lastEventId }) => {
        this.fired.push({ type, data: String(data), lastEventId })
      })
    }
    onTestFinished(() => this.source.close())
  }

  /** Info messages, first messages among them. */
  get infos(): Record<string, unknown>[] {
    return this.fired
      .filter(({ type }) => type === 'message')
      .map(({ data }) => JSON.parse(data) as Record<string, unknown>)
  }

  /** The data of all events that have a name. */
  get data(): string[] {
    return this.fired.filter(({ type }) => type !== 'message').map(({ data }) => data)
  }

  /** How many first messages came. */
  get firstMessages(): number {
    return this.infos.filter((info) => 'config' in info).length
  }

  /** Waits until `condition` holds of it. */
  async until(condition: (client: this) => boolean): Promise<void> {
    await vi.waitFor(
      () => {
        if (!condition(this)) throw new Error(`not so after ${JSON.stringify(this.fired)}`)
      },
      { timeout: 10_000, interval: 5 },
    )
  }
}
