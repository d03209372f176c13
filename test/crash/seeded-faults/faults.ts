import { CHECKPOINT } from './checkpoint.ts'
import { COMPACTION } from './compaction.ts'
import { COPIES } from './copies.ts'
import type { SeededFault } from './fault.ts'
import { PRODUCERS } from './producers.ts'
import { READING } from './reading.ts'
import { RECOVERY } from './recovery.ts'
import { TOPICS } from './topics.ts'
import { WRITING } from './writing.ts'

/** All of them, in the order of the table. */
export const FAULTS: readonly SeededFault[] = [
  ...WRITING,
  ...CHECKPOINT,
  ...RECOVERY,
  ...TOPICS,
  ...COMPACTION,
  ...READING,
  ...COPIES,
  ...PRODUCERS,
]
