import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { contentOf } from './postman.ts'

/** Where the API of Kubernetes is, and how to be let in. */
export interface KubeApiOptions {
  /** @default the pod's own, `https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT` */
  readonly url?: string
  /** File with the certificate authority. @default that of the pod's service account */
  readonly caFile?: string
  /** File with the token, which is read for each request, since it changes. @default that of the pod's service account */
  readonly tokenFile?: string
}

/** An answer of the API other than 200. */
export class KubeApiError extends Error {
  readonly code: number
  /** How long the API wants to be left alone. */
  readonly retryAfterMs: number

  constructor(message: string, code: number, retryAfterMs = 0) {
    super(message)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/** Where a pod finds what its service account may use. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const MAX_LIST_BYTES = 64 * 1024 * 1024
/** A list is given up after that. */
const LIST_MS = 10_000

/** Reads from the API of Kubernetes. */
export class KubeApi {
  readonly #options: KubeApiOptions

  constructor(options: KubeApiOptions) {
    this.#options = options
  }

  /** Resolves with what is at `path`. */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)])
    const response = await this.#request(path, within)
    return JSON.parse((await contentOf(response, MAX_LIST_BYTES)).toString())
  }

  /** Yields an object for each line; throws when nothing comes for so long. */
  async *lines(path: string, signal: AbortSignal, silentMs: number): AsyncGenerator {
    const silence = new AbortController()
    const onSilence = (): void =>
      silence.abort(new Error(`The API of Kubernetes said nothing for ${silentMs} ms.`))
    const timer = setTimeout(onSilence, silentMs)
    try {
      const response = await this.#request(path, AbortSignal.any([signal, silence.signal]))
      const decoder = new StringDecoder()
      let rest = ''
      for await (const chunk of response as AsyncIterable<Buffer>) {
        timer.refresh()
        const lines = (rest + decoder.write(chunk)).split('\n')
        rest = lines.pop()!
        for (const line of lines) yield JSON.parse(line)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #request(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { url = podUrl(), caFile, tokenFile } = this.#options
    const token = readFileSync(tokenFile ?? join(ACCOUNT, 'token'), 'utf8').trim()
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
    const ca = readFileSync(caFile ?? join(ACCOUNT, 'ca.crt'))
    return new Promise((resolve, reject) => {
      // A connection of its own, so that one that went dead is never used again.
      request(new URL(path, url), { ca, headers, agent: false, signal })
        .once('error', reject)
        .once('response', (response) => {
          if (response.statusCode === 200) resolve(response)
          else refusal(response, path).then(reject, reject)
        })
        .end()
    })
  }
}

/** The namespace of the pod. */
export function podNamespace(): string {
  return readFileSync(join(ACCOUNT, 'namespace'), 'utf8').trim()
}

function podUrl(): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (host === undefined)
    throw new Error(
      'No API of Kubernetes is named, and this is no pod: KUBERNETES_SERVICE_HOST is not set.',
    )
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function refusal(response: IncomingMessage, path: string): Promise<KubeApiError> {
  const { statusCode = 0, headers } = response
  const text = (await contentOf(response, 64 * 1024)).toString()
  const seconds = Number(headers['retry-after'])
  return new KubeApiError(
    `The API of Kubernetes answered ${statusCode} for ${path}: ${text}`,
    statusCode,
    seconds > 0 ? seconds * 1_000 : 0,
  )
}
