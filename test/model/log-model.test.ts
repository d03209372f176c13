/**
 * The public API against arrays: random calls, and whatever is read must be what the arrays hold.
 *
 * A failure prints a seed and a path; `MODEL_SEED=<seed> MODEL_PATH=<path> MODEL_REPLAY=<replayPath>
 * npx vitest run test/model` repeats it. `MODEL_RUNS` sets the number of runs.
 */
import fc from 'fast-check'
import { test } from 'vitest'
import { create, World } from '../helpers/log-world.ts'
import {
  append,
  appendTogether,
  appendBatch,
  expectOffset,
  readFrom,
  readAll,
  readMap,
  follow,
  deleteRecords,
  retention,
  alter,
  addPartitions,
  createTopic,
  deleteTopic,
  verify,
  flush,
  passTime,
  closeAndReopen,
  killAndReopen,
  readBeside,
} from './steps.ts'

test('whatever is called in whatever order, the log holds what the arrays hold', { timeout: 120_000 }, async () => {
  const appends = [append, append, append, appendTogether, appendTogether, appendBatch, appendBatch, expectOffset]
  const reads = [verify, verify, readFrom, readFrom, readAll, readMap, follow, readBeside]
  const changes = [
    deleteRecords,
    retention,
    alter,
    alter,
    addPartitions,
    createTopic,
    deleteTopic,
    flush,
    passTime,
    passTime,
  ]
  const reopens = [closeAndReopen, closeAndReopen, killAndReopen, killAndReopen]
  const commands = fc.commands([...appends, ...reads, ...changes, ...reopens], {
    size: 'max',
    maxCommands: 60,
    replayPath: process.env['MODEL_REPLAY'],
  })
  const seed = process.env['MODEL_SEED'] === undefined ? undefined : Number(process.env['MODEL_SEED'])
  const path = process.env['MODEL_PATH']
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const world = new World()
      await world.open()
      await create(world, 'events', 2)
      await fc.asyncModelRun(() => ({ model: {}, real: world }), steps)
      await world.reader?.log.close()
      await world.log.close()
      await world.open()
      await world.verifyReopened({ clean: true })
      await world.verify()
      await world.log.close()
    }),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 300), seed, path, endOnFailure: path !== undefined },
  )
})
