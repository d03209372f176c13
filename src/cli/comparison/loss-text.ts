import { acknowledgesDurably } from '../../engine/flush.ts'
import { formatMicroseconds } from './figures.ts'
import type { LoadSummary } from './summary.ts'

/** How much a power cut can cost: nothing, what the window holds, or everything since the last flush. */
export type LossKind = 'nothing' | 'bounded' | 'unbounded'

/** How much a power cut can cost under a load; the bare loop loses nothing. */
export function lossKind({ flush }: LoadSummary): LossKind {
  if (flush === null || acknowledgesDurably(flush)) return 'nothing'
  return flush === 'os' ? 'unbounded' : 'bounded'
}

/** The colours of the three kinds, everywhere. */
export const LOSS_STYLE = { nothing: 'green', bounded: 'yellow', unbounded: 'red' } as const

/** In a word or a time: `nothing`, `9.8 ms`, `no bound`. */
export function lossInShort(load: LoadSummary): string {
  const kind = lossKind(load)
  if (kind === 'bounded') return formatMicroseconds(load.loss.ms * 1000)
  return kind === 'nothing' ? 'nothing' : 'no bound'
}
