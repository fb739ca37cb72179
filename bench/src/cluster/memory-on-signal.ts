/** Loaded before a relay, with `--expose-gc`: at SIGUSR2 it collects garbage and says what is left, as a line on stderr. */
import { setImmediate as nextTurn } from 'node:timers/promises'

process.on('SIGUSR2', () => void tell())

async function tell(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await nextTurn()
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  const measured = {
    usedBytes: heapUsed + external,
    rssBytes: rss,
    cpuSeconds: (user + system) / 1e6,
  }
  process.stderr.write(`${JSON.stringify({ measured })}\n`)
}
