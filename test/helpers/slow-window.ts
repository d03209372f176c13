import type { FlushWindow } from '../../src/index.ts'

/** The window under which a process writes to a slow disk. */
export const SLOW_WINDOW: Required<Omit<FlushWindow, 'bytes'>> = { ms: 100, records: 20 }
