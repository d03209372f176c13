const TOTAL_BYTES = 4 * 1024 * 1024
const MIN_VALUES = 16
const MAX_VALUES = 16_384
const WORDS =
  'alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa'.split(' ')

/**
 * Values of exactly `recordBytes` bytes that look like small JSON events: no two alike, and as compressible as events
 * are. The same ones at every run.
 */
export function syntheticValues(recordBytes: number): Buffer[] {
  const random = generator()
  const count = Math.min(Math.max(Math.floor(TOTAL_BYTES / recordBytes), MIN_VALUES), MAX_VALUES)
  return Array.from({ length: count }, (_, i) => syntheticValue(i, recordBytes, random))
}

function syntheticValue(index: number, recordBytes: number, random: () => number): Buffer {
  let text = `{"id":${index},"at":${1_517_363_399_650 + Math.floor(random() * 604_800_000)}`
  while (text.length < recordBytes) {
    text += `,"${WORDS[Math.floor(random() * WORDS.length)]}":${Math.floor(random() * 1e6) / 1000}`
  }
  return Buffer.from(`${text.slice(0, Math.max(recordBytes - 1, 0))}}`.slice(0, recordBytes))
}

/** The linear congruential generator of Numerical Recipes: numbers in [0, 1). */
function generator(): () => number {
  let state = 0x9e3779b9
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
