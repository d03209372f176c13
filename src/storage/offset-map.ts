/** Slots are at most so full, or searches get long. */
const LOAD_FACTOR = 0.7
/** Of a key that a map is laid out for: longer keys fill the arena first, shorter ones the slots. */
const KEY_BYTES = 32
const SLOT_BYTES = 4
/** Of an entry beside its key: hash, start of the key and offset. */
const ENTRY_BYTES = 4 + 4 + 8
const LEAST_BYTES = 4096

/**
 * The latest offset of each key: open addressing over memory that is laid out once, so that nothing grows, is copied or
 * stalls. Keys are compared byte by byte: two keys are never taken for one, whatever their hashes.
 */
export class OffsetMap {
  /** Number of an entry + 1; 0: free. */
  private readonly slots: Uint32Array
  private readonly hashes: Uint32Array
  /** Where each key begins in the arena; it ends where the next one begins. */
  private readonly starts: Uint32Array
  private readonly offsets: Float64Array
  private readonly arena: Buffer
  private readonly capacity: number
  private count = 0

  /** @param bytes of memory, all in all */
  constructor(bytes: number) {
    const budget = Math.max(bytes, LEAST_BYTES)
    this.capacity = Math.floor(budget / (SLOT_BYTES / LOAD_FACTOR + ENTRY_BYTES + KEY_BYTES))
    this.slots = new Uint32Array(Math.ceil(this.capacity / LOAD_FACTOR))
    this.hashes = new Uint32Array(this.capacity)
    this.starts = new Uint32Array(this.capacity + 1)
    this.offsets = new Float64Array(this.capacity)
    this.arena = Buffer.allocUnsafeSlow(this.capacity * KEY_BYTES)
  }

  /** Keys in it. */
  get size(): number {
    return this.count
  }

  /**
   * Records that the latest offset of the key `bytes[start, end)` is `offset`, unless a later one is known.
   *
   * @returns false when there is no room for another key; nothing has changed then
   */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const hash = hashOf(bytes, start, end)
    const slot = this.find(hash, bytes, start, end)
    const found = this.slots[slot] - 1
    if (found >= 0) {
      if (offset > this.offsets[found]) this.offsets[found] = offset
      return true
    }
    const { count, arena } = this
    const keyStart = this.starts[count]
    const keyEnd = keyStart + end - start
    if (count === this.capacity || keyEnd > arena.length) return false
    for (let at = keyStart, from = start; from < end;) arena[at++] = bytes[from++]
    this.hashes[count] = hash
    this.offsets[count] = offset
    this.starts[count + 1] = keyEnd
    this.slots[slot] = ++this.count
    return true
  }

  /** The latest offset of the key `bytes[start, end)`, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    const found = this.slots[this.find(hashOf(bytes, start, end), bytes, start, end)]
    return found === 0 ? -1 : this.offsets[found - 1]
  }

  /** The slot of the key, or the free one where it would go. */
  private find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const { slots, hashes } = this
    let slot = Math.floor((hash / 0x100000000) * slots.length)
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      if (hashes[entry - 1] === hash && this.holds(entry - 1, bytes, start, end)) break
      if (++slot === slots.length) slot = 0
    }
    return slot
  }

  private holds(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { arena } = this
    let at = this.starts[entry]
    if (this.starts[entry + 1] - at !== end - start) return false
    while (start < end) if (arena[at++] !== bytes[start++]) return false
    return true
  }
}

/** FNV-1a with the end mix of MurmurHash3, which spreads it over the upper bits that choose the slot. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
