/**
 * Real power cuts of real file systems, as far as one machine can: see test/helpers/real-disk-driver.ts. `CUT_ROUNDS` sets the
 * number of cuts for each file system; `VARVE_SEED=<seed>` repeats the choices.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { bundleChild } from '../helpers/bundled-child.ts'
import { SeededRandom } from '../helpers/seeded-random.ts'

const ROUNDS = Number(process.env['CUT_ROUNDS'] ?? 100)
/** Mounts and processes of its own, all of which end with the first process in there, and that with this one. */
const APART = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private']

const child = bundleChild('real-disk-child.ts')
const driver = bundleChild('real-disk-driver.ts')
const directory = mkdtempSync(join(tmpdir(), 'varve-disk-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Counts {
  rounds: number
  torn: number
  acknowledged: { [topic: string]: number }
  lost: { [topic: string]: number }
}

/** Why power cannot be cut here; null where it can: it takes root, loop devices and the tools of the file system. */
function faultOf(kind: string): string | null {
  const steps = [
    `mount -t tmpfs tmpfs '${directory}'`,
    `cd '${directory}'`,
    'truncate -s 16M probe',
    'mkfs.ext4 -q probe',
    'mkdir on',
    'mount -o loop probe on',
    'fsfreeze -f on',
    'fsfreeze -u on',
    `command -v mkfs.${kind} || { echo no mkfs.${kind} >&2; false; }`,
  ]
  const { error, status, stderr } = spawnSync('unshare', [...APART, 'sh', '-ec', steps.join('\n')])
  if (error !== undefined) return 'there is no unshare'
  return status === 0 ? null : stderr.toString().trim().split('\n')[0]
}

for (const kind of ['ext4', 'xfs']) {
  const fault = faultOf(kind)
  if (fault !== null) console.warn(`no power is cut on ${kind}: ${fault}`)
  const why = fault === null ? '' : ` (${fault})`
  // reason: it takes root, loop devices and the tools of the file system; a warning and the title say what is missing
  test.skipIf(fault !== null)(
    `of ${ROUNDS} power cuts on ${kind} none takes what it must not, in any mode${why}`,
    { timeout: 900_000 },
    async () => {
      const random = new SeededRandom()
      console.log(
        `power cuts on ${kind}: ${random.toString()} (repeat with VARVE_SEED=${random.seed}; CUT_ROUNDS sets the rounds)`,
      )
      const words = [...APART, process.execPath, driver, directory, child, `${ROUNDS}`, `${random.seed}`, kind]
      const running = spawn('unshare', words)
      let [stdout, stderr] = ['', '']
      running.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
      running.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
      const [code] = (await once(running, 'close')) as [number | null]
      expect(code, stderr).toBe(0)
      console.log(`power cuts on ${kind}: ${stdout.trim()}`)
      const { rounds, lost } = JSON.parse(stdout) as Counts
      expect(rounds).toBe(ROUNDS)
      // a disk that keeps what nobody has synced proves nothing; whether a cut falls into a window is for chance to say
      expect(lost['os'], 'acknowledged records that were lost under os').toBeGreaterThan(0)
      expect(lost).toMatchObject({ each: 0, group: 0 })
    },
  )
}
