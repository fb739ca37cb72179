import { type Change, describe, isAlone, isMaking, isSeen, removalsOf } from './history.ts'
import { TTL_MS } from './schedule.ts'
import type { SimulatedReplica } from './simulated-replica.ts'
import type { ClientRecord, TopicsChange } from '../../../src/clients/client-store.ts'
import type { Simulation } from './simulation.ts'

/** How much later than its TTL a client may be listed: until a silence is declared, and more. */
const SLACK_MS = 8_000

/** A replica that is ready has what was answered shortly before, as far as a well one has it. */
export function checkReady(simulation: Simulation, replica: SimulatedReplica): void {
  const { timeline, history, replicas } = simulation
  const isKnown = (change: Change) =>
    [...replicas.values()].some(
      (other) => other !== replica && simulation.isWell(other) && isSeen(other, change),
    )
  for (const change of history.changes) {
    const isOld = change.end < timeline.now - 15_000
    if (change.outcome !== 'answered' || change.isLost || isOld) continue
    const isExisting = history.isValid(change.client, timeline.now)
    if (change.kind === 'remove' ? isExisting : change.kind !== 'subscribe' || !isExisting) continue
    if (!isAlone(change, history.changesOf(change.client)) || !isKnown(change)) continue
    if (isSeen(replica, change)) change.holders.add(replica)
    else simulation.fail('ready', `${replica.id} is ready without ${describe(change)}`)
  }
}

/** What reaches a connection after it was answered may have cost it messages, and must say so. */
export function checkLate(
  simulation: Simulation,
  replica: SimulatedReplica,
  client: string,
  { added, isLate }: TopicsChange,
): void {
  const { history, timeline } = simulation
  const holds = history.tabs.some(
    (tab) => tab.at === replica && tab.isOpen && tab.client === client,
  )
  if (isLate || !holds) return
  const changes = history.changesOf(client)
  const answered = changes.find(
    (change) =>
      change.kind === 'subscribe' &&
      added.includes(change.topic) &&
      change.end < timeline.now &&
      isAlone(change, changes),
  )
  if (answered === undefined) return
  simulation.fail('late', `${replica.id} learns late of ${describe(answered)}, and does not say so`)
}

/** A client that was removed and made again has no topics of before. */
export function checkIncarnation(
  { history, fail }: Simulation,
  replica: SimulatedReplica,
  client: string,
): void {
  const changes = history.changesOf(client)
  const removals = removalsOf(changes)
  for (const topic of replica.view.get(client)?.topics.keys() ?? []) {
    const given = changes.filter(
      (change) => change.topic === topic && (isMaking(change) || change.kind === 'subscribe'),
    )
    const isOver = removals.some((removal) => given.every(({ end }) => end < removal.begin))
    if (isOver) fail('b', `${client} ${topic} outlives a removal on ${replica.id}`)
  }
}

/** What must be true once all has been quiet for long enough. */
export async function checkEnd(simulation: Simulation): Promise<void> {
  const lists = new Map<SimulatedReplica, Map<string, ClientRecord>>()
  for (const replica of simulation.replicas.values()) {
    if (!replica.isOpen || !replica.store.status().isReady) {
      simulation.fail('a', `${replica.id} is not ready at the end`)
      continue
    }
    const { items } = await replica.store.list({ limit: 1_000 })
    lists.set(replica, new Map(items.map((record) => [record.id, record])))
  }
  checkConverged(simulation, lists)
  checkAnswered(simulation)
  const [list] = lists.values()
  if (list === undefined) return
  for (const [client, record] of list) {
    checkExists(simulation, client)
    for (const topic of ['x', 'y']) checkTopic(simulation, record, topic)
    checkFirstTopics(simulation, record)
  }
  const { history, timeline } = simulation
  for (const { client, isOpen, openedAt } of history.tabs) {
    const removals = removalsOf(history.changesOf(client))
    if (isOpen && removals.some(({ begin }) => openedAt < begin)) {
      simulation.fail('d', `a connection of ${client} outlives a removal`)
    }
    if (isOpen && history.isValid(client, timeline.now) && !list.has(client)) {
      simulation.fail('d', `${client} is connected and gone`)
    }
  }
}

/** Nobody waits for an answer for ever. */
function checkAnswered({ history, fail }: Simulation): void {
  for (const change of history.changes) {
    if (change.outcome === 'pending') fail('h', `${describe(change)} is never answered`)
  }
}

function checkConverged(
  simulation: Simulation,
  lists: ReadonlyMap<SimulatedReplica, ReadonlyMap<string, ClientRecord>>,
): void {
  const [first] = lists.values()
  for (const [replica, list] of lists) {
    for (const client of new Set([...first!.keys(), ...list.keys()])) {
      const here = textOf(list.get(client))
      const there = textOf(first!.get(client))
      if (here !== there) {
        simulation.fail('a', `${replica.id} has ${client} as ${here}, the first replica ${there}`)
      }
    }
    for (const client of new Set([...replica.view.keys(), ...list.keys()])) {
      const told = topicsOf(replica.view.get(client))
      const listed = topicsOf(list.get(client))
      if (told !== listed) {
        simulation.fail('a', `${replica.id} lists ${client} with ${listed}, and told ${told}`)
      }
    }
  }
}

function topicsOf(record: ClientRecord | undefined): string {
  return record === undefined ? 'none' : [...record.topics.keys()].toSorted().join(' ')
}

function textOf(record: ClientRecord | undefined): string {
  if (record === undefined) return 'none'
  const connections = record.connections.map(({ id, replica }) => `${replica}/${id}`).toSorted()
  const { metadata, ttlMs } = record
  return JSON.stringify([topicsOf(record), connections, metadata, ttlMs])
}

/** No client that was removed lives, unless it was made after; and none outlives its TTL. */
function checkExists(simulation: Simulation, client: string): void {
  const { history, timeline, schedule } = simulation
  const changes = history.changesOf(client)
  const removals = removalsOf(changes)
  const canExist = changes.some(
    (made) => isMaking(made) && !removals.some(({ begin }) => made.end < begin),
  )
  if (!canExist) simulation.fail('b', `${client} was removed, and lives`)
  const isOpen = history.tabs.some((tab) => tab.isOpen && tab.client === client)
  const age = timeline.now - (history.lastSeen.get(client) ?? 0)
  const isLate =
    age > TTL_MS + SLACK_MS && schedule.quietFrom + 36_000 < timeline.now - TTL_MS - SLACK_MS
  if (!isOpen && isLate) simulation.fail('e', `${client} outlives its TTL`)
}

/** Some change that could have been the last one explains whether a topic is there. */
function checkTopic(simulation: Simulation, record: ClientRecord, topic: string): void {
  const isOn = record.topics.has(topic)
  const wanted = isOn ? 'subscribe' : 'unsubscribe'
  const changes = simulation.history.changesOf(record.id)
  const removals = removalsOf(changes)
  const ofTopic = changes.filter(
    (change) =>
      change.topic === topic && (change.kind === 'subscribe' || change.kind === 'unsubscribe'),
  )
  const against = ofTopic.filter(
    ({ kind, outcome, isLost }) => outcome === 'answered' && !isLost && kind !== wanted,
  )
  if (isOn) against.push(...removals)
  const reasons = ofTopic.filter(({ kind }) => kind === wanted).map(({ end }) => end)
  if (!isOn) reasons.push(-1)
  if (!isOn && simulation.history.wasRemoved(record.id)) reasons.push(Infinity)
  if (reasons.some((end) => against.every(({ begin }) => end >= begin))) return
  simulation.fail('b', `${record.id} ${topic} is ${isOn ? 'on' : 'off'} against an answered change`)
}

/** Who won an id gave it its first topics; who lost it did not. */
function checkFirstTopics(simulation: Simulation, record: ClientRecord): void {
  const { history } = simulation
  if (history.wasRemoved(record.id)) return
  const made = history.changesOf(record.id).filter(isMaking)
  for (const change of made) {
    if (change.topic === '') continue
    const isOn = record.topics.has(change.topic)
    const others = made.filter((other) => other !== change && other.outcome !== 'exists')
    const isOfWinner = others.some(({ topic }) => topic === change.topic)
    if (change.outcome === 'exists' && isOn && !isOfWinner) {
      simulation.fail('g', `${record.id} has topics of a caller who did not get it`)
    }
    const isWon = change.outcome === 'answered' && !change.isLost && others.length === 0
    if (isWon && !isOn) simulation.fail('g', `${record.id} lacks what it was made with`)
  }
}
