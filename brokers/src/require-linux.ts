/** Throws on a system where brokers cannot run natively: what is used of Linux is /proc, flock and its ports. */
export function requireLinux(): void {
  if (process.platform === 'linux') return
  throw new Error(
    'it needs Linux (on Windows, WSL), or a broker in Docker or one that the environment names',
  )
}
