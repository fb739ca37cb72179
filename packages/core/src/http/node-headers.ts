import type { ServerResponse } from 'node:http'

/**
 * Sets headers, named in lower case, on a response that an application may have dressed before. They
 * replace its own, but `vary` and the cookies grow.
 */
export function addHeaders(
  response: ServerResponse,
  headers: Iterable<[string, string | string[]]>,
): void {
  for (const [name, value] of headers) {
    if (name === 'vary' || name === 'set-cookie') response.appendHeader(name, value)
    else response.setHeader(name, value)
  }
}
