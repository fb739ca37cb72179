import { describe, expect, it } from 'vitest'
import { pairedRatios, spread } from '../src/statistics.ts'

describe('statistics', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 })
    expect(spread([4, 1, 3, 10])).toEqual({ median: 3.5, min: 1, max: 10 })
  })

  it('pairs the rounds before it takes the median', () => {
    // The ratio of the medians is 20 / 10.
    expect(pairedRatios([10, 20, 60], [10, 5, 20])).toEqual({ median: 3, min: 1, max: 4 })
  })

  it('refuses rounds that do not pair up', () => {
    expect(() => pairedRatios([1, 2], [1])).toThrow('pair')
    expect(() => spread([])).toThrow('nothing')
  })
})
