import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from '../program-cache.ts'
import { findProgram, mustRun } from '../run.ts'
import { say } from '../say.ts'

/** A release of Debian to take programs from; it need not be this machine's. */
export type DebianRelease = 'bookworm' | 'trixie'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * A folder with Debian packages and all that they need, unpacked: nothing is installed, no service
 * starts, and no root is needed. It is made once, by apt, which checks the signatures.
 */
export async function debianRoot(
  release: DebianRelease,
  packages: readonly string[],
): Promise<string> {
  const name = `debian-${release}-${packages[0]}`
  return cachedProgram(name, async (root) => {
    if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) {
      throw new Error(`it needs ${packages[0]}, or Debian's apt to get it`)
    }
    say(`unpacking ${packages[0]} of Debian ${release}`)
    const apt = `${root}.apt`
    rmSync(apt, { recursive: true, force: true })
    for (const dir of ['lists/partial', 'archives/partial', 'empty']) {
      mkdirSync(join(apt, dir), { recursive: true })
    }
    writeFileSync(join(apt, 'status'), '') // as if nothing was installed, so that nothing is left out
    writeFileSync(
      join(apt, 'sources.list'),
      `deb [signed-by=${keyring}] ${await mirror()} ${release} main\n`,
    )
    const own = [
      '-qq',
      `-oDir::Etc::SourceList=${apt}/sources.list`,
      `-oDir::Etc::SourceParts=${apt}/empty`,
      `-oDir::State::Lists=${apt}/lists`,
      `-oDir::State::Status=${apt}/status`,
      `-oDir::Cache=${apt}`,
      '-oDebug::NoLocking=true', // the machine's locks are root's
      '-oAPT::Sandbox::User=',
      '-oAPT::Install-Recommends=false',
      '-oAcquire::Languages=none',
    ]
    await mustRun('apt-get', [...own, 'update'])
    await mustRun('apt-get', [...own, '--yes', '--download-only', 'install', ...packages])
    await unpack(join(apt, 'archives'), root)
    rmSync(apt, { recursive: true })
  })
}

/** Unpacks as Debian lays out a machine today: /bin, /lib and so on are links into /usr. */
async function unpack(archives: string, root: string): Promise<void> {
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', dir), { recursive: true })
    symlinkSync(`usr/${dir}`, join(root, dir))
  }
  for (const file of readdirSync(archives).filter((each) => each.endsWith('.deb'))) {
    // Older packages have /lib/… inside, for which tar would put a folder in place of the link.
    const extract = 'dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink -C "$1"'
    await mustRun('sh', ['-c', extract, join(archives, file), root])
  }
}

/** The mirror that this machine uses. */
async function mirror(): Promise<string> {
  const uris = await mustRun('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
  ])
  const debian = uris.split('\n').find((uri) => /\/debian\/?$/.test(uri))
  if (debian === undefined)
    throw new Error('it needs Debian: no mirror of it is in the apt sources')
  return debian
}
