import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import type { PodsReport } from './support/pods.ts'

const scenario = fileURLToPath(new URL('support/pods.ts', import.meta.url))
const MESSAGES = 10_000
const TIMED = 300

describe('three relays as pods, each on its own address', () => {
  let report: PodsReport

  // The first use on a machine builds the API of Kubernetes.
  beforeAll(async () => {
    const node = [process.execPath, '--conditions=@asbru/source', scenario]
    const { stdout } = await promisify(execFile)('unshare', ['--net', ...node])
    report = JSON.parse(stdout) as PodsReport
  }, 600_000)

  test('give each of 10,000 messages to every client of all three, once', () => {
    expect(report.received).toEqual(
      Array.from({ length: 6 }, () => ({ different: MESSAGES, all: MESSAGES })),
    )
  })

  test('take no longer when one of them is stopped in the middle', () => {
    const { before, stopped } = report.latencies
    expect(stopped.median).toBeLessThan(2 * before.median + 5)
    // A post to the stopped one takes 2,000.
    expect(stopped.max).toBeLessThan(500)
  })

  test('bring what the stopped one missed once it goes on, each message once', () => {
    expect(report.afterStop).toEqual(
      Array.from({ length: 2 }, () => ({ different: MESSAGES + TIMED, all: MESSAGES + TIMED })),
    )
  })

  test('post no message to a pod that was never ready', () => {
    expect(report.toUnready).toBe(0)
  })

  test('post no message to a pod that is gone for five seconds', () => {
    expect(report.goneAfterMs).toBeLessThan(5_000)
  })
})
