/** The codes of gRPC that the driver tells apart. */
export const StatusCode = {
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  aborted: 10,
  internal: 13,
  unavailable: 14,
} as const

const passing = new Set<unknown>([
  StatusCode.unknown,
  StatusCode.deadlineExceeded,
  StatusCode.resourceExhausted,
  StatusCode.aborted,
  StatusCode.internal,
  StatusCode.unavailable,
])

/** The code of an error of the client, if it has one. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Whether the same call may succeed later without anybody doing anything. */
export function isPassing(error: unknown): boolean {
  return passing.has(codeOf(error))
}

/** Whether something that the driver has made is not there any more. */
export function isNotFound(error: unknown): boolean {
  return codeOf(error) === StatusCode.notFound
}
