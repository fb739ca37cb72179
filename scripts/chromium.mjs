/**
 * Finds a Chromium for the tests that need a real browser, or fetches one.
 *
 * In this order: the one that ASBRU_CHROMIUM names, an installed Chrome or Chromium, Debian's
 * (installed when root, else unpacked into a cache directory), Playwright's own download.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { installDebianChromium, unpackDebianChromium } from './chromium-debian.mjs'
import { path, run } from './run.mjs'

const names = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'chrome']
const macApps = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/**
 * Gives the path of a browser that starts, or undefined if none can be had.
 *
 * @returns {Promise<string | undefined>}
 */
export async function findChromium() {
  const named = process.env.ASBRU_CHROMIUM
  if (named !== undefined) return starts(named) ? named : undefined
  return installedChromium() ?? (await debianChromium()) ?? (await playwrightChromium())
}

function installedChromium() {
  const onPath = path.split(delimiter).flatMap((dir) => names.map((name) => `${dir}/${name}`))
  return [...onPath, ...macApps].find(starts)
}

async function debianChromium() {
  if (!existsSync('/usr/bin/apt-get')) return undefined
  if (process.getuid?.() !== 0) return unpackDebianChromium(starts)
  await installDebianChromium()
  return installedChromium()
}

async function playwrightChromium() {
  await run('playwright-core', ['install', 'chromium'])
  const { chromium } = await import('playwright-core')
  return [chromium.executablePath()].find(starts)
}

/** @param {string} file */
function starts(file) {
  return existsSync(file) && spawnSync(file, ['--version'], { timeout: 30_000 }).status === 0
}
