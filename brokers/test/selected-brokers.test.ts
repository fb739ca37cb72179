import { afterEach, describe, expect, it, vi } from 'vitest'
import { brokerNames, selectedBrokers } from '@asbru/brokers'

describe('ASBRU_TEST_BROKERS', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it.each(['', 'all'])('means every broker when it is %j', (value) => {
    vi.stubEnv('ASBRU_TEST_BROKERS', value)
    expect(selectedBrokers()).toEqual(brokerNames)
  })

  it('names the brokers to test with', () => {
    vi.stubEnv('ASBRU_TEST_BROKERS', 'redis, nats')
    expect(selectedBrokers()).toEqual(['redis', 'nats'])
  })

  it('takes kubernetes for a group of tests that is no broker', () => {
    vi.stubEnv('ASBRU_TEST_BROKERS', 'kubernetes,nats')
    expect(selectedBrokers()).toEqual(['nats'])
  })

  it('is refused with a name that is no broker', () => {
    vi.stubEnv('ASBRU_TEST_BROKERS', 'nats,reddis')
    expect(() => selectedBrokers()).toThrow("'reddis' is none of nats, redis")
  })
})
