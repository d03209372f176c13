/**
 * Completes package-lock.json for platforms other than the one it was written on.
 *
 * Packages with native parts name one optional package per platform. `npm install` leaves out of the
 * lockfile each of those that the registry at hand does not hold, and `npm ci` then refuses the
 * lockfile as out of step. This adds the missing entries at the exact version that the parent names,
 * marked optional and bound to their platform: `npm ci` skips them elsewhere, and fetches them there.
 *
 * Run it after any `npm install` that changed dependencies: `npm run lockfile`.
 */
import { readFileSync, writeFileSync } from 'node:fs'

interface LockEntry {
  version?: string
  cpu?: string[]
  os?: string[]
  libc?: string[]
  dev?: boolean
  optional?: boolean
  peer?: boolean
  devOptional?: boolean
  optionalDependencies?: Record<string, string>
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

/** Reads the platform from a name such as `@oxlint/binding-linux-x64-musl`; null when it names none. */
function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> | null {
  const words = name.split(/[-/]/)
  const system = SYSTEMS.find((word) => words.includes(word))
  const processor = PROCESSORS.find((word) => words.includes(word))
  if (!system || !processor) return null
  const runsOn = { cpu: [processor], os: [system] }
  if (words.some((word) => word.startsWith('musl'))) return { ...runsOn, libc: ['musl'] }
  if (words.some((word) => word.startsWith('gnu'))) return { ...runsOn, libc: ['glibc'] }
  return runsOn
}

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockEntry> }
const added: string[] = []

for (const [parentPath, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const nested = `${parentPath}/node_modules/${name}`
    const hoisted = `node_modules/${name}`
    if (lock.packages[nested] || lock.packages[hoisted]?.version === version) continue
    const platform = platformOf(name)
    if (!platform || !/^\d+\.\d+\.\d+$/.test(version)) continue
    const { dev, peer, devOptional } = parent
    const fields = { ...platform, ...((dev || devOptional) && { dev: true }), optional: true, ...(peer && { peer }) }
    const inOrder = Object.entries(fields).sort(([left], [right]) => left.localeCompare(right, 'en'))
    lock.packages[lock.packages[hoisted] ? nested : hoisted] = { version, ...Object.fromEntries(inOrder) }
    added.push(`${name}@${version}`)
  }
}

const root = lock.packages['']
const rest = Object.entries(lock.packages).filter(([key]) => key !== '')
rest.sort(([left], [right]) => left.localeCompare(right, 'en'))
lock.packages = { '': root, ...Object.fromEntries(rest) }
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(
  added.length === 0 ? 'package-lock.json is complete' : `added to package-lock.json:\n  ${added.join('\n  ')}`,
)
