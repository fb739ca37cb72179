import { registerHooks } from 'node:module'
import { silentLogger } from '@asbru/core'
import type { Contestant } from './contestant.ts'
import { broker } from './fed-memory-driver.ts'

/**
 * What `asbru serve --driver memory` starts, both listeners included. Only the broker within its memory
 * driver is the bench's, so that messages come past the API, as from any broker.
 */
export async function start(): Promise<Contestant> {
  registerHooks({
    resolve(specifier, context, next) {
      const isServer = context.parentURL?.includes('/packages/server/') === true
      return specifier === '@asbru/driver-memory' && isServer
        ? next('./fed-memory-driver.ts', { ...context, parentURL: import.meta.url })
        : next(specifier, context)
    },
  })
  // Only now: what it imports passes through the hook.
  const { loadConfig, startRelay } = await import('@asbru/server')
  const flags = new Map([
    ['port', '0'],
    ['internalPort', '0'],
    ['driver', 'memory'],
    ['anonymous.topics', 'T0'],
  ])
  const { config } = loadConfig({ flags, env: {}, file: undefined })
  const { listening } = await startRelay(config, silentLogger)
  return {
    // Anonymous clients, since ten thousand made over the API leave more garbage than they take.
    port: Number(new URL(listening.events).port),
    path: '/events?topic=T0',
    api: listening.api,
    publish: (topic, payload) => broker.publish({ topic, payload }),
  }
}
