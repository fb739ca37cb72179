import { createHmac, timingSafeEqual } from 'node:crypto'

/** Header that carries when a body was signed, and its HMAC-SHA256. */
export const SIGNATURE_HEADER = 'asbru-signature'
/** How far the clocks of two replicas may be apart, and how old a post may be. */
const WINDOW_MS = 30_000

/** Signs and checks what replicas tell each other, by a secret that they share. */
export class Signer {
  readonly #secret: string

  constructor(secret: string) {
    this.#secret = secret
  }

  /** What the header says of `body`; `about` binds it to its purpose, such as the request that it answers. */
  sign(body: Uint8Array, about: string): string {
    const time = String(Date.now())
    return `${time}.${this.#digest(body, about, time).toString('hex')}`
  }

  /** Whether a header was made with the secret for that body and purpose, within the time window. */
  accepts(header: unknown, body: Uint8Array, about: string): boolean {
    if (typeof header !== 'string') return false
    const [time = '', digest = ''] = header.split('.')
    if (!(Math.abs(Date.now() - Number(time)) <= WINDOW_MS)) return false
    const given = Buffer.from(digest, 'hex')
    const wanted = this.#digest(body, about, time)
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }

  #digest(body: Uint8Array, about: string, time: string): Buffer {
    return createHmac('sha256', this.#secret).update(`${time}\n${about}\n`).update(body).digest()
  }
}
