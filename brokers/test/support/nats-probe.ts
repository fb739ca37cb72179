import { converse } from './conversation.ts'
import type { Probe } from './probes.ts'

const hello = { send: 'CONNECT {"verbose":false}\r\nSUB inbox 1\r\nPING\r\n', until: /PONG\r\n/ }

/** A message in a JetStream stream. */
export const natsProbe: Probe = {
  async store({ port }, value) {
    const stream = JSON.stringify({ name: 'PROBE', subjects: ['probe'], storage: 'file' })
    await converse(port, [
      hello,
      { send: request('$JS.API.STREAM.CREATE.PROBE', stream), until: /"did_create":true/ },
      { send: request('probe', value), until: /"seq":1/ },
    ])
  },
  async find({ port }) {
    const last = JSON.stringify({ last_by_subj: 'probe' })
    const answer = await converse(port, [
      hello,
      { send: request('$JS.API.STREAM.MSG.GET.PROBE', last), until: /MSG inbox[^]*\}\r\n/ },
    ])
    const data = /"data":"([^"]*)"/.exec(answer)?.[1]
    return data === undefined ? undefined : Buffer.from(data, 'base64').toString()
  },
}

function request(subject: string, payload: string): string {
  return `PUB ${subject} inbox ${payload.length}\r\n${payload}\r\n`
}
