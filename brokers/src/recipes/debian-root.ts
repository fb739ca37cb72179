import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedProgram } from '../program-cache.ts'
import { findProgram, mustRun, run } from '../run.ts'
import { say } from '../say.ts'
import { scratch } from '../scratch.ts'

/** A release of Debian to take programs from; it need not be this machine's. */
export type DebianRelease = 'bookworm' | 'trixie'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * A folder with a Debian package and all that it needs, unpacked: nothing is installed, no service
 * starts, and no root is needed. It is made once, by apt, which checks the signatures.
 */
export async function debianRoot(
  release: DebianRelease,
  main: string,
  alsoNeeded: readonly string[] = [],
): Promise<string> {
  return cachedProgram(`debian-${release}-${main}`, async (root) => {
    if (!['apt-get', 'dpkg-deb'].every(findProgram) || !existsSync(keyring)) {
      throw new Error(`it needs Docker, or Debian's apt, which has ${main}`)
    }
    say(`unpacking ${main} of Debian ${release}`)
    const apt = join(root, 'apt')
    for (const dir of ['lists/partial', 'archives/partial', 'empty']) {
      mkdirSync(join(apt, dir), { recursive: true })
    }
    writeFileSync(join(apt, 'status'), '') // as if nothing was installed, so that nothing is left out
    const source = `deb [signed-by=${keyring}] ${await mirror()} ${release} main\n`
    writeFileSync(join(apt, 'sources.list'), source)
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
    const install = ['--yes', '--download-only', 'install', main, ...alsoNeeded]
    await mustRun('apt-get', [...own, ...install])
    await unpack(join(apt, 'archives'), root)
    rmSync(apt, { recursive: true })
  })
}

/**
 * The words to put before a command so that it runs inside the root, as the same process, with /dev,
 * /proc, /etc and the scratch folder as they are outside. It takes root, or user namespaces.
 */
export async function enterRoot(root: string): Promise<readonly [string, string, ...string[]]> {
  const namespaces =
    process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--user', '--map-root-user']
  const script = `for each in /dev /proc /etc "$1"; do
  mkdir -p "$0$each" && mount --rbind "$each" "$0$each" || exit
done
root=$0; shift; exec chroot "$root" "$@"`
  const enter = ['unshare', ...namespaces, 'sh', '-c', script, root, scratch()] as const
  const { code, stderr } = await run('unshare', [...enter.slice(1), '/bin/sh', '-c', ':'])
  if (code === 0) return enter as unknown as readonly [string, string, ...string[]]
  throw new Error(`it needs Docker, or root or user namespaces to enter its folder: ${stderr}`)
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
  // A link that a package's script would make.
  if (existsSync(join(root, 'usr/bin/bash'))) symlinkSync('bash', join(root, 'usr/bin/sh'))
}

/** The mirror that this machine uses. */
async function mirror(): Promise<string> {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages']
  const uris = await mustRun('apt-get', ['indextargets', ...format])
  const debian = uris.split('\n').find((uri) => /\/debian\/?$/.test(uri))
  if (debian === undefined)
    throw new Error('it needs Debian: no mirror of it is in the apt sources')
  return debian
}
