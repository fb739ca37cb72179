import { rates } from './gates.ts'
import { type ContestantName, contestants } from './options.ts'
import { type IdleRun, isDisturbed, type Run } from './run.ts'
import { pairedRatios, type Spread, spread } from './statistics.ts'

/** The sink has no time left: a server that is measured against it may be faster than the figure. */
const BUSY = 0.95

/** The table of one mode: a row for each server. */
export function throughputTable(runs: readonly Run[], window: number): string {
  const servers = [...new Set(runs.map((run) => run.server))]
  const [first] = servers
  const base = rates(runs, first!, window)
  const cpuEach = (server: ContestantName): number[] =>
    runs.filter((run) => run.server === server && run.window === window).map(cpuMicros)
  const baseCpu = cpuEach(first!)
  const rows = servers.map((server) => {
    const its = runs.filter((run) => run.server === server && run.window === window)
    const of = (value: (run: Run) => number): Spread => spread(its.map(value))
    const rate = rates(runs, server, window)
    return [
      contestants[server],
      String(its.length),
      range(spread(rate), thousands),
      of(cpuMicros).median.toFixed(2),
      server === first ? '1' : range(pairedRatios(base, rate), times),
      server === first ? '1' : range(pairedRatios(cpuEach(server), baseCpu), times),
      of((run) => run.deliveries / run.reads).median.toFixed(1),
      percent(of((run) => run.serverCpu).median),
      percent(of((run) => run.sinkCpu).median),
      String(sum(its, (run) => run.lost)),
      String(sum(its, (run) => run.reordered + run.duplicated + run.damaged)),
    ]
  })
  const head = ['server', 'n', 'deliveries/s', 'CPU us each', `${first} / it`, 'by CPU']
  const rest = ['events/read', 'server CPU', 'sink CPU', 'lost', 'disordered']
  return align([[...head, ...rest], ...rows])
}

/** Says for which servers the sink was the limit. */
export function sinkWarnings(runs: readonly Run[]): string[] {
  const bound = runs.filter((run) => run.sinkCpu > BUSY && run.serverCpu < BUSY)
  return [
    ...new Set(bound.map((run) => `${contestants[run.server]}, ${run.window} at a time`)),
  ].map(
    (which) => `The sink was the limit in some runs of ${which}: the server is faster than shown.`,
  )
}

/** The table of memory. */
export function idleTable(idle: readonly IdleRun[]): string {
  const rows = idle.map(({ server, connections, bytesPerConnection }) => [
    contestants[server],
    String(connections),
    (bytesPerConnection / 1024).toFixed(1),
  ])
  return align([['server', 'idle connections', 'KB each'], ...rows])
}

/** One run in a few words, while the others are still to come. */
export function progress(run: Run): string {
  const { server, window, round, deliveries, seconds } = run
  return `round ${round}, ${window} at a time: ${server} ${thousands(deliveries / seconds)}/s${isDisturbed(run) ? ', disturbed' : ''}`
}

function range({ median, min, max }: Spread, show: (value: number) => string): string {
  return `${show(median)} [${show(min)}..${show(max)}]`
}

function thousands(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)}M` : `${Math.round(value / 1e3)}k`
}

function cpuMicros(run: Run): number {
  return (run.serverCpu * run.seconds * 1e6) / run.deliveries
}

function times(value: number): string {
  return value.toFixed(2)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function sum(runs: readonly Run[], value: (run: Run) => number): number {
  return runs.reduce((total, run) => total + value(run), 0)
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  '),
    )
    .join('\n')
}
