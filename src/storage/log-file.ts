import { findNextBatch } from './batch-scanner.ts'
import type { SegmentContext } from './segment-context.ts'
import { segmentFileName } from './segment-name.ts'
import type { StorageFile } from './storage.ts'

/** Opens the log file of a segment, if there is one, for `action`. */
export async function useLogFile<T>(
  { storage, directory }: SegmentContext,
  baseOffset: number | undefined,
  action: (file: StorageFile | null, size: number) => Promise<T>,
): Promise<T> {
  if (baseOffset === undefined) return action(null, 0)
  const file = await storage.openFile(`${directory}/${segmentFileName(baseOffset, '.log')}`, 'read')
  try {
    return await action(file, await file.size())
  } finally {
    await file.close()
  }
}

/** Whether any of these segments holds a valid batch: what comes before it is no torn tail. */
export async function holdBatches(context: SegmentContext, segments: readonly number[]): Promise<boolean> {
  for (const baseOffset of segments) {
    const next = (file: StorageFile | null, size: number) => findNextBatch(file!, 0, size, baseOffset)
    if ((await useLogFile(context, baseOffset, next)) !== null) return true
  }
  return false
}
