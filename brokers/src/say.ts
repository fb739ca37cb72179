/** Tells the user what takes long, on stderr, so that stdout holds results only. */
export function say(text: string): void {
  process.stderr.write(`brokers: ${text}\n`)
}
