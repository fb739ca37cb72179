import type { BenchOptions, ContestantName } from './options.ts'
import { ServerProcess } from './server.ts'
import { Sink, type SinkCounts, type SinkProgram } from './sink.ts'

/** One turn of one server. */
export interface Run extends SinkCounts {
  readonly server: ContestantName
  readonly window: number
  readonly round: number
  /** Shares of a core. */
  readonly serverCpu: number
  readonly sinkCpu: number
}

/**
 * Whether something else took the processor: in a closed loop either the server or the sink is busy all
 * the time.
 */
export function isDisturbed({ serverCpu, sinkCpu }: Run): boolean {
  return Math.max(serverCpu, sinkCpu) < 0.9
}

/** What an idle connection costs. */
export interface IdleRun {
  readonly server: ContestantName
  readonly connections: number
  readonly bytesPerConnection: number
}

/** Starts a server, connects, and measures how fast it delivers. */
export async function measure(
  { connections, warmupSeconds, seconds }: BenchOptions,
  { server, window, round }: Pick<Run, 'server' | 'window' | 'round'>,
  program: SinkProgram,
): Promise<Run> {
  await using stack = new AsyncDisposableStack()
  const process = stack.adopt(await ServerProcess.start(server), (it) => it.stop())
  await process.prepare({ connections, first: 0 })
  const { port, feedPort, path } = process
  const task = { port, feedPort, path, connections, window, warmupSeconds, seconds }
  const sink = stack.adopt(await Sink.connect(program, task), (it) => it.stop())
  await process.hasReceivers(connections)
  let before = 0
  let after = 0
  const counts = await sink.measure(
    async () => {
      before = await process.ask('cpuSeconds')
    },
    async () => {
      after = await process.ask('cpuSeconds')
    },
  )
  return {
    server,
    window,
    round,
    ...counts,
    serverCpu: (after - before) / counts.seconds,
    sinkCpu: counts.cpuSeconds / counts.seconds,
  }
}

/** Node lets it grow with the machine, to more than what all connections take together. */
const FIXED_YOUNG_GENERATION = '--max-semi-space-size=16'

/**
 * Opens connections that get nothing, and sees by how much the server grows. Some are there before, so
 * that what the first ones bring about (compiled code, a grown heap) is not counted.
 */
export async function measureIdle(
  server: ContestantName,
  connections: number,
  program: SinkProgram,
): Promise<IdleRun> {
  await using stack = new AsyncDisposableStack()
  const flags = ['--expose-gc', FIXED_YOUNG_GENERATION]
  const process = stack.adopt(await ServerProcess.start(server, flags), (it) => it.stop())
  const open = async (count: number, first: number): Promise<number> => {
    // What Asbru knows of a client counts as part of its connection.
    await process.prepare({ connections: count, first })
    const { port, feedPort, path } = process
    const task = { port, feedPort, path, window: 1, warmupSeconds: 0, seconds: 0 }
    const sink = await Sink.connect(program, { ...task, connections: count, first })
    stack.adopt(sink, (it) => it.stop())
    await process.hasReceivers(first + count)
    return process.ask('rssBytes')
  }
  const already = Math.ceil(connections / 4)
  const before = await open(already, 0)
  const bytes = (await open(connections, already)) - before
  return { server, connections, bytesPerConnection: bytes / connections }
}
