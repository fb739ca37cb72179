/**
 * Debian's Chromium: from the package registry that such a machine has anyway, with all the
 * libraries that it needs, and for the processors that Playwright or Google do not build for.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { run } from './run.mjs'

const install = ['--yes', '--no-install-recommends', 'install', 'chromium']

/** Installs it for the machine; needs root. */
export async function installDebianChromium() {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  if ((await run('apt-get', install, { env })) === 0) return
  // Usually the package lists are old, or not there at all.
  await run('apt-get', ['update'])
  await run('apt-get', install, { env })
}

/**
 * Unpacks it with those of its dependencies that the machine lacks into a cache directory; needs
 * no root. Gives a launcher that sets the library path.
 *
 * @param {(file: string) => boolean} starts
 * @returns {Promise<string | undefined>}
 */
export async function unpackDebianChromium(starts) {
  const cache = `${process.env.XDG_CACHE_HOME ?? `${homedir()}/.cache`}/asbru/chromium`
  const launcher = `${cache}/chromium`
  if (starts(launcher)) return launcher

  for (const dir of ['lists/partial', 'archives/partial', 'root']) {
    mkdirSync(`${cache}/${dir}`, { recursive: true })
  }
  // apt as an ordinary user: its own directories, and the machine's status only to be read.
  const own = [
    `-oDir::State::Lists=${cache}/lists`,
    `-oDir::Cache=${cache}`,
    '-oDebug::NoLocking=true',
  ]
  if ((await run('apt-get', [...own, 'update'])) !== 0) return undefined
  if ((await run('apt-get', [...own, '--download-only', ...install])) !== 0) return undefined
  for (const file of readdirSync(`${cache}/archives`).filter((name) => name.endsWith('.deb'))) {
    await run('dpkg-deb', ['--extract', `${cache}/archives/${file}`, `${cache}/root`])
  }
  rmSync(`${cache}/archives`, { recursive: true })
  rmSync(`${cache}/lists`, { recursive: true })
  writeFileSync(launcher, launcherScript)
  chmodSync(launcher, 0o755)
  return starts(launcher) ? launcher : undefined
}

const launcherScript = `#!/bin/sh
root=$(dirname "$0")/root
libs=$(find "$root/lib" "$root/usr/lib" -type d 2>/dev/null | tr '\\n' ':')
LD_LIBRARY_PATH=$libs$LD_LIBRARY_PATH exec "$root/usr/lib/chromium/chromium" "$@"
`
