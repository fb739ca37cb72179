import type { IncomingMessage, ServerResponse } from 'node:http'
import { isTopic, type OutgoingMessage, problemResponse, StreamerError } from '@asbru/core'
import { type Answer, isObject, isPost, type Post } from './post.ts'
import { contentOf, SEND_PATH } from './postman.ts'
import { type Signer, SIGNATURE_HEADER } from './signature.ts'

/** What the listener that the handler is mounted on found out before. */
export interface PeerRequestAccess {
  /** Whether the request has the token of the HTTP API, which lets a plain program post without a signature. @default false */
  readonly hasToken?: boolean
}

/** Answers posts of peers at {@link SEND_PATH}. Never rejects. */
export type PeerHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  access?: PeerRequestAccess,
) => Promise<void>

/** What a {@link PeerHandler} stands on. */
export interface PeerHandlerOptions {
  readonly signer: Signer | undefined
  /** Takes a post of a peer; undefined while the driver is not open. */
  readonly onPost: (post: Post) => Answer | undefined
  /** Takes a message of a plain program, for the readers of this replica alone. */
  readonly onMessage: (message: OutgoingMessage) => void
}

const MAX_BODY_BYTES = 16 * 1024 * 1024

/** Makes the handler for what peers and plain programs post to this replica. */
export function peerHandler(options: PeerHandlerOptions): PeerHandler {
  return async (request, response, access = {}) => {
    try {
      const body = await bodyOf(request, options.signer, access)
      const answer = Buffer.from(JSON.stringify(take(body.value, body.isSigned, options)))
      const signature = request.headers[SIGNATURE_HEADER] as string | undefined
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': answer.length,
        ...(body.isSigned && {
          [SIGNATURE_HEADER]: options.signer!.sign(answer, signature!),
        }),
      })
      response.end(answer)
    } catch (error) {
      await refuse(response, error)
    }
  }
}

async function bodyOf(
  request: IncomingMessage,
  signer: Signer | undefined,
  { hasToken = false }: PeerRequestAccess,
): Promise<{ value: unknown; isSigned: boolean }> {
  if (request.method !== 'POST')
    throw new StreamerError('NOT_FOUND', `Only POST is taken at ${SEND_PATH}.`)
  const header = request.headers[SIGNATURE_HEADER]
  const isSigned = signer !== undefined && header !== undefined
  if (!isSigned) mustBeNoPage(request)
  if (signer !== undefined && !isSigned && !hasToken)
    throw new StreamerError('UNAUTHORIZED', 'The post is not signed with the secret.')
  const content = await contentOf(request, MAX_BODY_BYTES)
  if (isSigned && !signer.accepts(header, content, SEND_PATH))
    throw new StreamerError('UNAUTHORIZED', 'The post is not signed with the secret of today.')
  return { value: parse(content), isSigned }
}

/** A web page can send what is not JSON to any address, but no JSON without being asked. */
function mustBeNoPage({ headers }: IncomingMessage): void {
  if (headers.origin !== undefined || !headers['content-type']?.startsWith('application/json'))
    throw new StreamerError('FORBIDDEN', 'Posts without a signature are application/json.')
}

function take(value: unknown, isSigned: boolean, options: PeerHandlerOptions): unknown {
  if (isPost(value)) {
    if (options.signer !== undefined && !isSigned)
      throw new StreamerError('UNAUTHORIZED', 'Posts of peers are signed.')
    const answer = options.onPost(value)
    if (answer === undefined)
      throw new StreamerError('BROKER_UNAVAILABLE', 'The replica takes no posts now.')
    return answer
  }
  options.onMessage(plainMessage(value))
  return {}
}

/** The body of a plain program: `{"stream","msg"}`, and `event` and `id` if it likes. */
function plainMessage(value: unknown): OutgoingMessage {
  if (!isObject(value)) throw new StreamerError('INVALID_REQUEST', 'The body is no object.')
  const { stream, msg, event, id } = value
  if (typeof stream !== 'string' || typeof msg !== 'string')
    throw new StreamerError('INVALID_REQUEST', 'The body has no texts `stream` and `msg`.')
  if (!isTopic(stream)) throw new StreamerError('INVALID_TOPIC', '`stream` is no topic.')
  return {
    topic: stream,
    payload: new TextEncoder().encode(msg),
    ...(typeof event === 'string' && { event }),
    ...(typeof id === 'string' && { id }),
  }
}

function parse(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString())
  } catch (cause) {
    throw new StreamerError('INVALID_REQUEST', 'The body is no JSON.', { cause })
  }
}

async function refuse(response: ServerResponse, error: unknown): Promise<void> {
  const known =
    error instanceof RangeError
      ? new StreamerError('PAYLOAD_TOO_LARGE', error.message, { cause: error })
      : error
  const problem = problemResponse(known)
  // What is left of a body that is too long must not be read as the next request.
  response.writeHead(problem.status, {
    ...Object.fromEntries(problem.headers),
    connection: 'close',
  })
  response.end(await problem.text())
}
