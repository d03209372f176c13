/**
 * The process that `npm start` kills while its group of three consumes the earthquakes: tells each record that a handler is
 * done with on standard output, `<partition> <offset>`, and how far the group had committed by then: `committed 12 0 7 31`.
 *
 * `node --import tsx consumers.ts <directory>`
 */
import { writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Varve } from '../../src/index.ts'
import { TOPIC } from './earthquakes.ts'

const MEMBERS = 3
const STANDARD_OUTPUT = 1
export const GROUP = 'map'
/** What handling one record takes. */
export const WORK_MS = 1

if (process.argv[1]?.endsWith('consumers.ts')) {
  const log = await Varve.open({ directory: process.argv[2] })
  const runs = Array.from({ length: MEMBERS }, () =>
    log.consumer({ groupId: GROUP, topics: [TOPIC.name] }).run(async ({ partition, offset }) => {
      await setTimeout(WORK_MS)
      writeSync(STANDARD_OUTPUT, `${partition} ${offset}\n`)
    }),
  )
  await Promise.all(runs)
}
