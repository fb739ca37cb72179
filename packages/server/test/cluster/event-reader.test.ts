import { expect, test } from 'vitest'
import { type EventBlock, EventReader } from './support/event-reader.ts'

/** What is read of a stream that comes in these chunks. */
function read(...chunks: string[]): { blocks: EventBlock[]; reader: EventReader } {
  const blocks: EventBlock[] = []
  const reader = new EventReader('before', (block) => blocks.push(block))
  for (const chunk of chunks) reader.read(chunk)
  return { blocks, reader }
}

test('events have their name, or message, and all lines of their data', () => {
  const { blocks } = read('event: a\ndata: 1\ndata:2\n\n: comment\ndata: 3\n\n')
  expect(blocks).toEqual([
    { event: 'a', data: '1\n2' },
    { event: 'message', data: '3' },
  ])
})

test('chunks may end anywhere', () => {
  const text = 'id: 7\r\nevent: a\r\ndata: 1\r\n\r\n'
  const { blocks, reader } = read(...text.split(''))
  expect(blocks).toEqual([{ event: 'a', data: '1' }])
  expect(reader.lastId).toBe('7')
})

test('the id is that of the last whole block, also of one without data', () => {
  expect(read('id: 1\ndata: x\n\nid: 2\ndata: y\n').reader.lastId).toBe('1')
  expect(read('id: 1\ndata: x\n\n: keepalive\nid: 2\n\n').reader.lastId).toBe('2')
  expect(read('data: x\n\n').reader.lastId).toBe('before')
})

test('retry is taken at once', () => {
  expect(read('retry: 1500\n').reader.retryMs).toBe(1_500)
})
