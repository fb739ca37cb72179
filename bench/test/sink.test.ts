import { createServer, type ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { serveFeed } from '../src/feed.ts'
import { listening } from '../src/listening.ts'
import { compileSink, nodeSink, Sink, type SinkCounts, type SinkProgram } from '../src/sink.ts'

// Where there is no compiler, the bench does without the C sink, and so do its tests.
const programs = [compileSink(), nodeSink].filter((program) => program !== undefined)

describe.each(programs)('the $name sink', (program) => {
  it('finds nothing wrong with a server that is right', async () => {
    const counts = await countsOf(program, (_connection, event) => [event])
    expect(counts).toMatchObject({ lost: 0, reordered: 0, duplicated: 0, damaged: 0 })
    expect(counts.deliveries).toBeGreaterThan(0)
    expect(counts.sent).toBeGreaterThan(0)
  })

  it('finds every event that is lost, late, repeated or changed', async () => {
    let kept = ''
    const counts = await countsOf(program, (connection, event, number) => {
      if (connection === 0 && number === 5) return []
      if (connection === 1 && number === 8) {
        kept = event
        return []
      }
      if (connection === 1 && number === 9) return [event, kept]
      if (connection === 2 && number === 12) return [event, event]
      if (connection === 2 && number === 40) return [event.replace('xx\n', 'xy\n'), event]
      return [event]
    })
    expect(counts).toMatchObject({ lost: 1, reordered: 1, duplicated: 1, damaged: 1 })
  })
})

/** Runs a sink against a server that sends `eventsFor` each connection and message. */
async function countsOf(
  program: SinkProgram,
  eventsFor: (connection: number, event: string, number: number) => string[],
): Promise<SinkCounts> {
  const responses: ServerResponse[] = []
  let published = 0
  const server = createServer((_request, response) => {
    responses.push(response)
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  })
  const feedPort = await serveFeed((_topic, payload) => {
    const event = `id: ${published}\nevent: T0\ndata: ${payload.toString()}\n\n`
    for (const [connection, response] of responses.entries()) {
      for (const text of eventsFor(connection, event, published)) response.write(text)
    }
    published++
  })
  const port = await listening(server)
  const task = { connections: 3, window: 16, warmupSeconds: 0.05, seconds: 0.2 }
  const sink = await Sink.connect(program, { port, feedPort, path: '/%d', ...task })
  const counts = await sink.measure(
    async () => {},
    async () => {},
  )
  await sink.stop()
  server.close()
  return counts
}
