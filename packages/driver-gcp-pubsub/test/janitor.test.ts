import { expect, test } from 'vitest'
import {
  Janitor,
  janitorLabels,
  type LabelledSubscription,
  SILENT_SWEEPS,
  SWEEP_MS,
} from '../src/janitor.ts'

const TEN_MINUTES = 600_000

test('a subscription whose label never changes is removed after more than ten minutes', async () => {
  const { sweeps, removed } = scene('test', [silent('crashed', 'test')])
  await sweeps(SILENT_SWEEPS)
  expect(removed).toEqual([])
  await sweeps(1)
  expect(removed).toEqual(['crashed'])
  expect(SILENT_SWEEPS * SWEEP_MS).toBeGreaterThan(TEN_MINUTES)
})

test('a subscription whose label changes in time is never removed', async () => {
  const beats = { count: 0 }
  const { sweeps, removed } = scene('test', [
    () => ({
      name: 'alive',
      // The slowest that still counts.
      labels: {
        ...janitorLabels('test'),
        'asbru-alive': String(Math.floor(beats.count++ / SILENT_SWEEPS)),
      },
    }),
  ])
  await sweeps(10 * SILENT_SWEEPS)
  expect(removed).toEqual([])
})

test('a look that failed counts as none', async () => {
  const broken = { is: false }
  const crashed = silent('crashed', 'test')
  const { sweeps, removed } = scene('test', [
    () => {
      if (broken.is) throw new Error('out of reach')
      return crashed()
    },
  ])
  await sweeps(SILENT_SWEEPS)
  broken.is = true
  for (let i = 0; i < 10; i++) await expect(sweeps(1)).rejects.toThrow('out of reach')
  expect(removed).toEqual([])
})

test('subscriptions of other namespaces, and those that are not of Asbru, are left alone', async () => {
  const { sweeps, removed } = scene('Test', [
    silent('other', 'test'),
    silent('own', 'Test'),
    () => ({ name: 'foreign', labels: {} }),
    () => ({ name: 'half', labels: { 'asbru-namespace': 'test' } }),
  ])
  await sweeps(2 * SILENT_SWEEPS)
  expect(new Set(removed)).toEqual(new Set(['own']))
})

test.each(['asbru', 'A_b-1', 'x'.repeat(64)])(
  'a namespace is a label as Google takes it: %s',
  (namespace) => {
    for (const [key, value] of Object.entries(janitorLabels(namespace))) {
      expect(key).toMatch(/^[a-z][a-z0-9_-]{0,62}$/)
      expect(value).toMatch(/^[a-z0-9_-]{1,63}$/)
    }
  },
)

type Subscription = () => LabelledSubscription

function silent(name: string, namespace: string): Subscription {
  const labels = janitorLabels(namespace)
  return () => ({ name, labels })
}

function scene(
  namespace: string,
  subscriptions: readonly Subscription[],
): { sweeps: (count: number) => Promise<void>; removed: string[] } {
  const removed: string[] = []
  const janitor = new Janitor({
    namespace,
    list: async () => subscriptions.map((subscription) => subscription()),
    remove: async (name) => void removed.push(name),
  })
  return {
    removed,
    async sweeps(count) {
      for (let i = 0; i < count; i++) await janitor.sweep()
    },
  }
}
