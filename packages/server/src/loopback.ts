import { isIPv4 } from 'node:net'

/** Whether a host name or address, IPv6 with or without its brackets, is this machine's loopback. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.')
  return host === 'localhost' || host === '::1' || host === '[::1]'
}
