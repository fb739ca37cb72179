/**
 * Every way in which Asbru says no. In HTTP problems the same codes travel in lower case with
 * hyphens: `CLIENT_NOT_FOUND` is `client-not-found`.
 */
export type StreamerErrorCode = keyof typeof statusOf

/** What a {@link StreamerError} may carry beside its code and message. */
export interface StreamerErrorOptions {
  /** Name of the driver whose broker failed. */
  driver?: string
  /** What was thrown below, as it was: a broker client's own error, or a hook's. */
  cause?: unknown
  /** The answer that an authorization hook chose instead of the standard 403. */
  response?: Response
}

/** The one error class of Asbru. Branch on `code`; `message` is for people. */
export class StreamerError extends Error {
  override readonly name = 'StreamerError'
  readonly code: StreamerErrorCode
  /** Whether the same call may succeed later, unchanged. */
  readonly retryable: boolean
  readonly driver: string | undefined
  readonly response: Response | undefined

  constructor(code: StreamerErrorCode, message: string, options: StreamerErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryable = statusOf[code] === 503
    this.driver = options.driver
    this.response = options.response
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return statusOf[this.code]
  }
}

const statusOf = {
  INVALID_REQUEST: 400,
  CLIENT_ID_REQUIRED: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  CLIENT_NOT_FOUND: 404,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CLIENT_EXISTS: 409,
  PAYLOAD_TOO_LARGE: 413,
  INVALID_TOPIC: 422,
  NOT_SUPPORTED_BY_DRIVER: 422,
  INTERNAL: 500,
  SUBSCRIPTION_FAILURE: 503,
  BROKER_UNAVAILABLE: 503,
  CHANGE_TIMEOUT: 503,
  NOT_READY: 503,
  CLOSING: 503,
} as const
