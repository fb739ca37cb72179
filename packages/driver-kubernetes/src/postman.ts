import { Agent, type IncomingMessage, request } from 'node:http'
import { type Answer, isAnswer, type Post } from './post.ts'
import { type Signer, SIGNATURE_HEADER } from './signature.ts'

/** Where replicas take posts, on their internal listeners. */
export const SEND_PATH = '/api/json/v1/send'

/** What a {@link Postman} needs. */
export interface PostmanOptions {
  readonly head: Pick<Post, 'sender' | 'address' | 'namespace'>
  readonly signer: Signer | undefined
  /** How long one post may take. */
  readonly timeoutMs: number
}

const MAX_ANSWER_BYTES = 1024 * 1024

/** Carries posts to other replicas, on one connection to each that is kept open. */
export class Postman {
  readonly head: PostmanOptions['head']
  readonly #options: PostmanOptions
  readonly #agents = new Map<string, Agent>()

  constructor(options: PostmanOptions) {
    this.head = options.head
    this.#options = options
  }

  /** Resolves with the answer; rejects if there is none in time, or another one than replicas give. */
  async post({ address }: { readonly address: string }, text: string): Promise<Answer> {
    const { signer } = this.#options
    const body = Buffer.from(text)
    const signature = signer?.sign(body, SEND_PATH)
    const { statusCode, headers, content } = await this.#exchange(address, body, signature)
    if (statusCode !== 200)
      throw new Error(`The peer at ${address} answered ${statusCode}: ${content.toString()}`)
    if (signer?.accepts(headers[SIGNATURE_HEADER], content, signature!) === false)
      throw new Error(`The answer of the peer at ${address} is not signed with the secret.`)
    const answer: unknown = JSON.parse(content.toString())
    if (!isAnswer(answer)) throw new Error(`The peer at ${address} is none: ${content.toString()}`)
    return answer
  }

  /** Ends the connection to a peer. */
  forget({ address }: { readonly address: string }): void {
    this.#agents.get(address)?.destroy()
    this.#agents.delete(address)
  }

  close(): void {
    for (const address of this.#agents.keys()) this.forget({ address })
  }

  #exchange(address: string, body: Buffer, signature: string | undefined): Promise<Exchanged> {
    let agent = this.#agents.get(address)
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, maxSockets: 1 })
      this.#agents.set(address, agent)
    }
    return new Promise((resolve, reject) => {
      const outgoing = request(`http://${address}${SEND_PATH}`, {
        method: 'POST',
        agent,
        headers: {
          'content-type': 'application/json',
          'content-length': body.length,
          ...(signature !== undefined && { [SIGNATURE_HEADER]: signature }),
        },
      })
      const timer = setTimeout(() => {
        outgoing.destroy(new Error(`The peer at ${address} did not answer in time.`))
      }, this.#options.timeoutMs)
      outgoing.once('close', () => clearTimeout(timer))
      outgoing.once('error', reject)
      outgoing.once('response', (response) => {
        contentOf(response, MAX_ANSWER_BYTES).then(
          (content) => resolve({ ...partsOf(response), content }),
          (error: Error) => {
            outgoing.destroy()
            reject(error)
          },
        )
      })
      outgoing.end(body)
    })
  }
}

interface Exchanged extends Pick<IncomingMessage, 'statusCode' | 'headers'> {
  readonly content: Buffer
}

function partsOf({ statusCode, headers }: IncomingMessage): Omit<Exchanged, 'content'> {
  return { statusCode: statusCode!, headers }
}

/** The body of a request or answer; rejects with a RangeError if it is longer. */
export async function contentOf(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new RangeError(`The body has more than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
