import type { StreamOpener } from '../connections/connection.ts'
import { type NodeRequest, type NodeResponse, openOnNode } from './node-sinks.ts'
import { openOnStream } from './stream-sink.ts'

/** An accepted request whose stream is still to be opened, exactly once, with one of its methods. */
export class EventStream {
  /** Headers of the answer; its status is 200. */
  readonly headers: Readonly<Record<string, string>>
  readonly #opener: StreamOpener

  constructor(headers: Readonly<Record<string, string>>, opener: StreamOpener) {
    this.headers = headers
    this.#opener = opener
  }

  /** Opens it as a web-standard answer. */
  toResponse(): Response {
    return new Response(openOnStream(this.#opener), { headers: this.headers })
  }

  /**
   * Opens it on a response of `node:http` or `node:http2`: the fast path. From here on the response is
   * Asbru's: the caller MUST NOT write to it or end it. Of `headers`, in lower case, those are sent too of
   * which the stream has none, as are those that `response` has already; `vary` grows.
   */
  toNode(
    request: NodeRequest,
    response: NodeResponse,
    headers: Readonly<Record<string, string | string[]>> = {},
  ): void {
    const vary = [headers['vary'] ?? [], this.headers['vary'] ?? []].flat().join(', ')
    openOnNode(
      request,
      response,
      { ...headers, ...this.headers, ...(vary !== '' && { vary }) },
      this.#opener,
    )
  }

  /** Gives it up unopened. */
  abandon(): void {
    this.#opener.abandon()
  }
}
