/**
 * `npm start`: Varve on real events, from the first append to what durability costs on this disk, with a proof at each
 * step. Works in a temporary directory beside this folder, which it removes; exits with 1 when anything is not as it
 * should be.
 *
 * Options: `--quick` (a comparison of 5 seconds), `--directory <path>` (the disk to use), `--svg <file>` (the picture).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Interruption } from '../src/cli/interruption.ts'
import { appendEvents, reopen } from './demo/append.ts'
import { compare } from './demo/compare.ts'
import { consumeAndSurvive } from './demo/consume.ts'
import { killWriter } from './demo/crash.ts'
import { readEarthquakes } from './demo/earthquakes.ts'
import { replayAndProve } from './demo/replay.ts'
import { Stage } from './demo/stage.ts'

const QUICK_SECONDS = 5
const FULL_SECONDS = 60

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    directory: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
    svg: { type: 'string' },
  },
})
const stage = new Stage()
using interruption = new Interruption()
try {
  const directory = await mkdtemp(join(options.directory, '.varve-demo-'))
  try {
    await play(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  stage.end()
} catch (error) {
  stage.failed(interruption.signal.aborted ? interruption.signal.reason : error)
  process.exitCode = interruption.exitCode ?? 1
}

async function play(directory: string): Promise<void> {
  const { signal } = interruption
  const events = readEarthquakes()
  stage.title('Varve', 'an append-only partitioned log inside this process, in files on your disk')
  const appended = await appendEvents(stage, join(directory, 'events'), events)
  signal.throwIfAborted()
  const log = await reopen(stage, join(directory, 'events'))
  try {
    await replayAndProve(stage, log, appended)
  } finally {
    await log.close()
  }
  signal.throwIfAborted()
  await consumeAndSurvive(stage, join(directory, 'events'), appended)
  signal.throwIfAborted()
  await killWriter(stage, join(directory, 'crash'), appended)
  signal.throwIfAborted()
  const seconds = options.quick ? QUICK_SECONDS : FULL_SECONDS
  await compare(stage, { directory, events, seconds, svg: options.svg, signal })
}
