import type { EpochStart } from './checkpoint.ts'

/** The leader epoch that a batch at `offset` must carry, or null where it is not known. */
export function epochAt(epochs: readonly EpochStart[], offset: number): number | null {
  let found: number | null = null
  for (const { epoch, startOffset } of epochs) {
    if (startOffset > offset) break
    found = epoch
  }
  return found
}

/** The epochs of the batches from `offset` on, the one that holds there included. */
export function epochsFrom(epochs: readonly EpochStart[], offset: number): EpochStart[] {
  return epochs.filter((_, i) => (epochs[i + 1]?.startOffset ?? Infinity) > offset)
}

/** Whether an epoch begins at `offset`, and all offsets between `end` and there were skipped before it. */
export function skipsTo({ startOffset, skippedFrom = 0 }: EpochStart, offset: number, end: number): boolean {
  return startOffset === offset && skippedFrom <= end
}

/** The offset with which an epoch begins, or undefined where a checkpoint, if there is one, does not tell. */
export function startOf(checkpoint: { epochs: readonly EpochStart[] } | null, epoch: number): number | undefined {
  return checkpoint?.epochs.find((one) => one.epoch === epoch)?.startOffset
}
