import type { Random } from '../../src/environment.ts'

/**
 * Randomness that one number repeats: print `seed` when a test fails, and run it again with `VARVE_SEED=<seed>`.
 *
 * Source: mulberry32 (Tommy Ettinger), 32 bits of state; good enough to choose test cases.
 */
export class SeededRandom implements Random {
  readonly seed: number
  private state: number

  /** @param seed uint32; by default from VARVE_SEED, or else different in each run */
  constructor(seed = seedOfThisRun()) {
    this.seed = seed >>> 0
    this.state = this.seed
  }

  /** A number in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** A whole number in [least, greatest]. */
  between(least: number, greatest: number): number {
    return least + this.below(greatest - least + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('pick: there is nothing to choose from')
    return choices[this.below(choices.length)]
  }

  toString(): string {
    return `seed ${this.seed}`
  }
}

function seedOfThisRun(): number {
  const given = Number(process.env['VARVE_SEED'])
  return process.env['VARVE_SEED'] !== undefined && Number.isInteger(given)
    ? given
    : Math.floor(Math.random() * 2 ** 32)
}
