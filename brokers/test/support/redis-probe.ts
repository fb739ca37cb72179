import { converse } from './conversation.ts'
import type { Probe } from './probes.ts'

/** A key, by inline commands. */
export const redisProbe: Probe = {
  async store({ port }, value) {
    await converse(port, [{ send: `SET probe ${value}\r\n`, until: /^\+OK\r\n/ }])
  },
  async find({ port }) {
    const answer = await converse(port, [{ send: 'GET probe\r\n', until: /^\$(-1|\d+\r\n.*)\r\n/ }])
    return /^\$\d+\r\n(.*)\r\n/.exec(answer)?.[1]
  },
}
