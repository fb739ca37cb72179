import { dnsPeers, localhostPeers, type PeerFinder, staticPeers } from '@asbru/driver-kubernetes'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NameServer } from './support/name-server.ts'
import { until } from './support/replica.ts'

describe('by DNS', () => {
  test('follows the addresses of a name', async () => {
    const names = await NameServer.start()
    names.addresses = ['10.0.0.2', '10.0.0.1']
    const { found } = await find(byName(names))
    expect(found.at(-1)).toEqual(['10.0.0.1:7070', '10.0.0.2:7070'])
    names.addresses = ['10.0.0.3']
    await until(() => expect(found.at(-1)).toEqual(['10.0.0.3:7070']))
  })

  test('starts before the name has an address', async () => {
    const names = await NameServer.start()
    const { found } = await find(byName(names))
    expect(found).toEqual([[]])
    names.addresses = ['10.0.0.1']
    await until(() => expect(found.at(-1)).toEqual(['10.0.0.1:7070']))
  })

  test('keeps what it found while the name cannot be asked for', async () => {
    const names = await NameServer.start()
    names.addresses = ['10.0.0.1']
    const { found, lost } = await find(byName(names))
    names.isFailing = true
    await until(() => expect(lost.length).toBeGreaterThan(0))
    expect(found.at(-1)).toEqual(['10.0.0.1:7070'])
    names.isFailing = false
    names.addresses = ['10.0.0.2']
    await until(() => expect(found.at(-1)).toEqual(['10.0.0.2:7070']))
  })

  test('does not start while the name server fails', async () => {
    const names = await NameServer.start()
    names.isFailing = true
    await expect(find(byName(names))).rejects.toMatchObject({ code: 'ESERVFAIL' })
  })
})

test('a list is what it says, with IPv6 in brackets', async () => {
  const { found } = await find(staticPeers(['10.0.0.1:7070', '[fd00::1]:7070', 'relay:80']))
  expect(found).toEqual([['10.0.0.1:7070', '[fd00::1]:7070', 'relay:80']])
})

test.each(['relay', 'relay:0', 'relay:x', 'relay:70700', 'http://relay:1', 'a b:1', ''])(
  'a list refuses %j',
  (address) => {
    expect(() => staticPeers([address])).toThrow('is not host:port')
  },
)

test('localhost is a list of ports', async () => {
  const { found } = await find(localhostPeers(7070, 7071))
  expect(found).toEqual([['127.0.0.1:7070', '127.0.0.1:7071']])
})

function byName({ address }: NameServer): PeerFinder {
  return dnsPeers({ name: 'relays.example', port: 7070, intervalMs: 20, servers: [address] })
}

/** Starts a finder, until the test is over, and keeps what it tells. */
async function find(finder: PeerFinder): Promise<{ found: string[][]; lost: unknown[] }> {
  const found: string[][] = []
  const lost: unknown[] = []
  onTestFinished(() => finder.stop())
  await finder.start({
    found: (peers) => void found.push(peers.map(({ address }) => address)),
    lost: (error) => void lost.push(error),
  })
  return { found, lost }
}
