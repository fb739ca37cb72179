/** `pnpm bench`: Asbru beside its peers, in turns. See README.md. */
import { appendFileSync, mkdirSync } from 'node:fs'
import { gates } from './gates.ts'
import { machineLine, methodLine } from './machine.ts'
import { type BenchOptions, readOptions, usage } from './options.ts'
import { idleTable, progress, sinkWarnings, throughputTable } from './report.ts'
import { type IdleRun, isDisturbed, measure, measureIdle, type Run } from './run.ts'
import { compileSink, nodeSink } from './sink.ts'

/** A run that something else on the machine disturbs is repeated, up to so many in all. */
const MOST_TURNS = 3

const options = optionsOrExit()
const program = compileSink() ?? nodeSink
const machine = machineLine()
const method = methodLine(options.connections, options.rounds, program.name)
console.log(`${machine}\n${method}`)
if (program === nodeSink) console.log('No gcc, or no epoll: the sink is slower than the servers.')

const folder = new URL('../results/', import.meta.url)
mkdirSync(folder, { recursive: true })
const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.jsonl`, folder)
keep({ machine, method, options })

const idle: IdleRun[] = []
const runs: Run[] = []
const discarded: Run[] = []
if (options.idleConnections > 0) {
  for (const server of options.only) {
    idle.push(await measureIdle(server, options.idleConnections, program))
    keep(idle.at(-1)!)
  }
}
for (const window of options.windows) {
  for (let round = 1; round <= options.rounds; round++) {
    for (const server of options.only) {
      let run = await turn({ server, window, round })
      for (let again = 1; isDisturbed(run) && again < MOST_TURNS; again++) {
        discarded.push(run)
        run = await turn({ server, window, round })
      }
      runs.push(run)
    }
  }
}

for (const window of options.windows) {
  console.log(`\nUp to ${window} messages on their way at a time`)
  console.log(throughputTable(runs, window))
}
for (const warning of sinkWarnings(runs)) console.log(warning)
console.log(
  `${discarded.length} disturbed runs were repeated; ${runs.filter(isDisturbed).length} stayed disturbed.`,
)
if (idle.length > 0) console.log(`\n${idleTable(idle)}`)
console.log()
const results = gates({ runs, discarded, idle })
for (const { text, passed } of results) console.log(`${passed ? 'pass' : 'FAIL'}  ${text}`)
if (!results.every(({ passed }) => passed)) process.exitCode = 1

async function turn(which: Pick<Run, 'server' | 'window' | 'round'>): Promise<Run> {
  const run = await measure(options, which, program)
  keep(run)
  console.error(progress(run))
  return run
}

function optionsOrExit(): BenchOptions {
  try {
    const asked = readOptions(process.argv.slice(2))
    if (asked !== 'help') return asked
    console.log(usage)
    return process.exit()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

function keep(line: object): void {
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}
