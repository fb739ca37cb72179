import type { TopicPattern } from '../driver.ts'
import { isPattern, isReserved } from '../topic.ts'

/** Those who have one subscription: a dense array, since it is walked for every event. */
export class Group<Member> {
  readonly subscription: TopicPattern
  readonly members: Member[] = []
  readonly #places = new Map<Member, number>()

  constructor(subscription: TopicPattern) {
    this.subscription = subscription
  }

  add(member: Member): void {
    if (this.#places.has(member)) return
    this.#places.set(member, this.members.length)
    this.members.push(member)
  }

  /** Fills the place of the one that leaves with the last one. */
  delete(member: Member): void {
    const place = this.#places.get(member)
    if (place === undefined) return
    this.#places.delete(member)
    const last = this.members.pop()!
    if (last === member) return
    this.members[place] = last
    this.#places.set(last, place)
  }
}

/** From a topic to those who want its events. */
export class TopicIndex<Member> {
  readonly #exact = new Map<string, Group<Member>>()
  readonly #patterns = new Map<TopicPattern, Group<Member>>()
  readonly #tree: PatternNode<Member> = newNode()

  add(subscription: TopicPattern, member: Member): void {
    const groups = isPattern(subscription) ? this.#patterns : this.#exact
    let group = groups.get(subscription)
    if (group === undefined) {
      group = new Group(subscription)
      groups.set(subscription, group)
      if (groups === this.#patterns) plant(this.#tree, group)
    }
    group.add(member)
  }

  delete(subscription: TopicPattern, member: Member): void {
    const groups = isPattern(subscription) ? this.#patterns : this.#exact
    const group = groups.get(subscription)
    if (group === undefined) return
    group.delete(member)
    if (group.members.length > 0) return
    groups.delete(subscription)
    if (groups === this.#patterns) uproot(this.#tree, subscription)
  }

  /** The groups that `topic` goes to, in the order of precedence: exact, then the longest pattern. */
  match(topic: string): Group<Member>[] {
    const exact = this.#exact.get(topic)
    const groups = exact === undefined ? [] : [exact]
    if (this.#patterns.size === 0 || isReserved(topic)) return groups
    const matched: Group<Member>[] = []
    collect(this.#tree, topic.split('.'), 0, matched)
    if (matched.length > 1) matched.sort(byPrecedence)
    return matched.length === 0 ? groups : [...groups, ...matched]
  }

  /** The group of exactly this subscription. */
  group(subscription: TopicPattern): Group<Member> | undefined {
    return (isPattern(subscription) ? this.#patterns : this.#exact).get(subscription)
  }
}

/** Which of two subscriptions that match one topic names the event: the exact one, then the longest. */
export function comparePrecedence(a: TopicPattern, b: TopicPattern): number {
  const patterns = Number(isPattern(a)) - Number(isPattern(b))
  return patterns || b.length - a.length || (a < b ? -1 : 1)
}

function byPrecedence(a: Group<unknown>, b: Group<unknown>): number {
  return comparePrecedence(a.subscription, b.subscription)
}

/** One segment of the patterns, as a tree: matching takes as long as the topic has segments. */
interface PatternNode<Member> {
  readonly next: Map<string, PatternNode<Member>>
  /** The pattern that ends here. */
  here?: Group<Member> | undefined
  /** The pattern that ends here with `**`. */
  rest?: Group<Member> | undefined
}

function newNode<Member>(): PatternNode<Member> {
  return { next: new Map() }
}

function plant<Member>(root: PatternNode<Member>, group: Group<Member>): void {
  let node = root
  for (const segment of group.subscription.split('.')) {
    if (segment === '**') {
      node.rest = group
      return
    }
    let next = node.next.get(segment)
    if (next === undefined) node.next.set(segment, (next = newNode()))
    node = next
  }
  node.here = group
}

function uproot<Member>(node: PatternNode<Member>, pattern: TopicPattern | undefined): void {
  if (pattern === undefined) {
    node.here = undefined
    return
  }
  const dot = pattern.indexOf('.')
  const segment = dot < 0 ? pattern : pattern.slice(0, dot)
  if (segment === '**') {
    node.rest = undefined
    return
  }
  const next = node.next.get(segment)
  if (next === undefined) return
  uproot(next, dot < 0 ? undefined : pattern.slice(dot + 1))
  if (next.next.size === 0 && next.here === undefined && next.rest === undefined)
    node.next.delete(segment)
}

function collect<Member>(
  node: PatternNode<Member>,
  segments: string[],
  depth: number,
  out: Group<Member>[],
): void {
  if (node.rest !== undefined) out.push(node.rest)
  if (depth === segments.length) {
    if (node.here !== undefined) out.push(node.here)
    return
  }
  const named = node.next.get(segments[depth]!)
  if (named !== undefined) collect(named, segments, depth + 1, out)
  const any = node.next.get('*')
  if (any !== undefined) collect(any, segments, depth + 1, out)
}
