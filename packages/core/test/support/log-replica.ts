import type { IncomingMessage, Position, StreamerOptions } from '../../src/index.ts'
import { type ScriptedDriver, scriptedDriver, textMessage } from './scripted-driver.ts'
import { type ServedStreamer, serveStreamer } from './serve-streamer.ts'

/** What the client has. */
export const TOPIC = 'news'
/** The client that every replica knows. */
export const CLIENT = 'me'

/** A replica whose driver reads logs, each from behind a position. */
export interface LogReplica extends ServedStreamer {
  readonly driver: ScriptedDriver
  /** Hands over a message whose text names its place. */
  read(log: string, offset: number | bigint, epoch?: string, topic?: string): void
}

/** Starts one that reads the logs behind these offsets. */
export async function logReplica(
  bases: Readonly<Record<string, number | bigint>>,
  epoch = '',
  options: Partial<StreamerOptions> = {},
): Promise<LogReplica> {
  const driver = scriptedDriver({ positions: true })
  const served = await serveStreamer({ driver, ...options })
  await served.streamer.start()
  for (const [log, offset] of Object.entries(bases)) {
    driver.tell({ type: 'log', position: placeIn(log, offset, epoch) })
  }
  await served.streamer.newClient({ id: CLIENT, topics: [TOPIC] })
  return {
    ...served,
    driver,
    read(log, offset, of = '', topic = TOPIC) {
      const message: IncomingMessage = textMessage(topic.replaceAll(' ', '-'), `${log}${offset}`)
      driver.hand({ ...message, position: placeIn(log, offset, of) })
    },
  }
}

/** A place in a log. */
export function placeIn(log: string, offset: number | bigint, epoch = ''): Position {
  return { log, epoch, offset }
}
