import type { ServerResponse } from 'node:http'
import { problemResponse, StreamerError } from '@asbru/core'

/** Answers a request of `node:http` with the problem that nothing is at its path. */
export async function answerNotFound(response: ServerResponse, detail: string): Promise<void> {
  const problem = problemResponse(new StreamerError('NOT_FOUND', detail))
  response.writeHead(problem.status, Object.fromEntries(problem.headers))
  response.end(await problem.text())
}
