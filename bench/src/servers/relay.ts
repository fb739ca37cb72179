import { Streamer } from '@asbru/core'
import { memoryBroker, memoryDriver } from '@asbru/driver-memory'
import type { Range } from '../server.ts'
import type { Contestant } from './contestant.ts'

/** A Streamer on the memory driver, fed at its broker, past the API, as by any other publisher. */
export function relay(): { streamer: Streamer; contestant: Omit<Contestant, 'port'> } {
  const broker = memoryBroker()
  const streamer = new Streamer({ driver: memoryDriver({ broker }) })
  const contestant = {
    path: '/events?id=c%d',
    receivers: async () => (await streamer.status()).connections,
    publish: (topic: string, payload: Uint8Array) => broker.publish({ topic, payload }),
    async prepare({ connections, first }: Range) {
      for (let i = first; i < first + connections; i++)
        await streamer.newClient({ id: `c${i}`, topics: ['T0'] })
    },
  }
  return { streamer, contestant }
}
