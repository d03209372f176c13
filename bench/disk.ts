import { CountingStorage } from '../src/cli/comparison/counting-storage.ts'

const counting = new CountingStorage(() => {})

/** The disk that is measured. Ours reaches it through `storage`, which counts; floors count for themselves. */
export const disk = {
  storage: counting.storage,

  /** fdatasyncs so far. */
  get syncs(): number {
    return counting.counts.log + counting.counts.other
  },

  /** A floor has synced. */
  synced(): void {
    counting.counts.log++
  },
}
