/** One contestant in a process: node server-process.ts NAME, with an IPC channel for questions. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { serveFeed } from './feed.ts'
import type { Answers, Hello, Question, Range } from './server.ts'
import type { Contestant } from './servers/contestant.ts'

const { start } = (await import(`./servers/${process.argv[2]}.ts`)) as {
  start: () => Promise<Contestant>
}
const contestant = await start()
const feedPort = await serveFeed((topic, payload) => contestant.publish(topic, payload))

const answer: { [Kind in keyof Answers]: (range: Range) => Promise<Answers[Kind]> } = {
  async prepare(range) {
    await contestant.prepare?.(range)
    return true
  },
  receivers: async () => contestant.receivers?.() ?? 0,
  async cpuSeconds() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  },
  async rssBytes() {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await nextTurn()
    }
    return process.memoryUsage.rss()
  },
}

process.on('message', ({ kind, range = { connections: 0, first: 0 } }: Question) => {
  // A question that fails ends the process: the bench must not go on with half of the clients.
  void answer[kind](range).then((it) => process.send!(it))
})
process.on('disconnect', () => process.exit())
const { port, path, api } = contestant
process.send!({ port, path, feedPort, ...(api !== undefined && { api }) } satisfies Hello)
