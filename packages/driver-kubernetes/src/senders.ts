import { messageOf, type Post } from './post.ts'
import type { OutgoingMessage } from '@asbru/core'

/** What one sender's messages have come to. */
interface Sender {
  /** The number of the message that comes next. */
  next: number
  /** The highest number that others say to have seen, and since when that is more than was seen here. */
  claim: { readonly number: number; readonly at: number } | undefined
  /** Up to where a loss was told. */
  told: number
  heardAt: number
}

/** How long what others have seen may be on its way. */
const CLAIM_MS = 3_000
/** Others are told of a sender for so long after it was heard. */
const RECENT_MS = 30_000
/** Then it is forgotten: later than anybody tells of it. */
const FORGET_MS = 4 * RECENT_MS

/** Keeps account of the numbers of every sender: drops what came before, and notices what never came. */
export class Senders {
  readonly #senders = new Map<string, Sender>()
  readonly #onLoss: () => void

  /** @param onLoss told when messages are missing, before any that came after them */
  constructor(onLoss: () => void) {
    this.#onLoss = onLoss
  }

  /** The messages of a post that did not come before. */
  take({ sender, joined, first, messages }: Post): OutgoingMessage[] {
    const known = this.#of(sender, joined + 1)
    known.heardAt = performance.now()
    if (first > known.next) {
      if (first - 1 > known.told) this.#lost(known, first - 1)
      known.next = first
    }
    const fresh = messages.slice(known.next - first)
    known.next += fresh.length
    if (known.claim !== undefined && known.claim.number < known.next) known.claim = undefined
    return fresh.map(messageOf)
  }

  /** What a new replica begins with: what was before its time is not missing. */
  startAfter(seen: Readonly<Record<string, number>>): void {
    for (const [sender, number] of Object.entries(seen)) this.#of(sender, number + 1)
  }

  /** What a peer says to have seen. A message that it has and this replica has not may be lost with its sender. */
  claims(seen: Readonly<Record<string, number>>): void {
    for (const [sender, number] of Object.entries(seen)) {
      const known = this.#of(sender, 1)
      if (number < known.next || number <= known.told || known.claim !== undefined) continue
      known.claim = { number, at: performance.now() }
    }
  }

  /** The highest number of each sender that was heard of late. */
  seen(): Record<string, number> {
    const seen: Record<string, number> = {}
    const since = performance.now() - RECENT_MS
    for (const [sender, { next, heardAt }] of this.#senders)
      if (heardAt > since) seen[sender] = next - 1
    return seen
  }

  /** Tells what did not come in time. To be called once a beat. */
  check(): void {
    const now = performance.now()
    for (const [id, sender] of this.#senders) {
      const { claim, heardAt } = sender
      if (claim !== undefined && now - claim.at > CLAIM_MS) {
        sender.claim = undefined
        this.#lost(sender, claim.number)
      }
      if (now - heardAt > FORGET_MS) this.#senders.delete(id)
    }
  }

  #of(id: string, next: number): Sender {
    let sender = this.#senders.get(id)
    if (sender === undefined) {
      sender = { next, claim: undefined, told: 0, heardAt: performance.now() }
      this.#senders.set(id, sender)
    }
    return sender
  }

  #lost(sender: Sender, upTo: number): void {
    sender.told = upTo
    this.#onLoss()
  }
}
