import { type Browser, chromium } from 'playwright-core'

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts the headless browser that `npm test` has found or fetched; the caller closes it. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env['ASBRU_CHROMIUM']
  if (executablePath === undefined) {
    throw new Error(
      'ASBRU_CHROMIUM does not name a browser: run `npm test -- <file>`, which provides one, or set it',
    )
  }
  return chromium.launch({ executablePath, args })
}
