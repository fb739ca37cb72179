import { setTimeout as delay } from 'node:timers/promises'
import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream'
import { reach, refusalOf } from './api-client.ts'

/** What becomes of a stream that is followed. */
export interface FollowOptions {
  /** Ends it. */
  readonly signal: AbortSignal
  readonly onEvent: (event: { id?: string; event?: string; data: string }) => void
  /** Told of gaps and errors, as the relay words them. */
  readonly onInfo: (info: string) => void
}

/**
 * Follows an event stream as EventSource does, but sees events whatever their names are. It reconnects for
 * ever, and resumes, until it is told to stop.
 * @throws {Fault} if the first request is not answered, or any is refused
 */
export async function followEvents(url: string, options: FollowOptions): Promise<void> {
  const { signal } = options
  const state: FollowState = { retryMs: 2_000, lastEventId: undefined, answered: false }
  while (!signal.aborted) {
    try {
      await followOnce(url, state, options)
    } catch (error) {
      if (signal.aborted) return
      if (!state.answered || error === state.refusal) throw error
    }
    // Rejects only when told to stop, which ends the loop.
    await delay(state.retryMs, undefined, { signal }).catch(() => {})
  }
}

interface FollowState {
  retryMs: number
  lastEventId: string | undefined
  /** Whether there was a stream before: then a relay that does not answer is waited for. */
  answered: boolean
  refusal?: Error
}

async function followOnce(url: string, state: FollowState, options: FollowOptions): Promise<void> {
  const { signal } = options
  const response = await reach(url, {
    headers: {
      accept: 'text/event-stream',
      ...(state.lastEventId !== undefined && { 'last-event-id': state.lastEventId }),
    },
    signal,
  })
  if (!response.ok || response.body === null) {
    const refusal = await refusalOf(response)
    // What a proxy says while relays are replaced passes.
    if (response.status < 500) state.refusal = refusal
    throw refusal
  }
  state.answered = true
  let first = true
  const messages = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ onRetry: (ms) => (state.retryMs = ms) }))
  for await (const message of messages) {
    if (message.id !== undefined) state.lastEventId = message.id
    if (first) first = false
    else if (isInfo(message)) tellInfo(message, options)
    else options.onEvent(eventOf(message))
  }
}

/** Info messages have no name, and of those behind the first only `gap` has a cursor. */
function isInfo({ id, event, data }: EventSourceMessage): boolean {
  return event === undefined && (id === undefined || data.startsWith('{"gap":{"reason":'))
}

function tellInfo({ data }: EventSourceMessage, { onInfo }: FollowOptions): void {
  if (!data.startsWith('{"subscriptions":')) onInfo(data)
}

function eventOf({ id, event, data }: EventSourceMessage): Parameters<FollowOptions['onEvent']>[0] {
  return { ...(id !== undefined && { id }), ...(event !== undefined && { event }), data }
}
