/** Slots are at most so full, or searches get long. */
const LOAD_FACTOR = 0.7
/** Of a key that a map is laid out for: longer keys fill the arena first, shorter ones the slots. */
const KEY_BYTES = 32
/** A slot, and with it all that is looked at in one place: hash, place of the key + 1 (0: free), offset in two halves. */
const SLOT_WORDS = 4
const SLOT_BYTES = SLOT_WORDS * 4
/** In front of each key in the arena. */
const LENGTH_BYTES = 4
const LEAST_BYTES = 4096

/**
 * The latest offset of each key: open addressing over memory that is laid out once, so that nothing grows, is copied or
 * stalls. Keys are compared byte by byte: two keys are never taken for one, whatever their hashes.
 */
export class OffsetMap {
  private readonly slots: Uint32Array
  private readonly slotCount: number
  /** Keys, one after another, each behind its length. */
  private arena: Buffer
  private arenaEnd = 0
  private readonly capacity: number
  private count = 0

  /** @param bytes of memory, all in all */
  constructor(bytes: number) {
    const perKey = SLOT_BYTES / LOAD_FACTOR + LENGTH_BYTES + KEY_BYTES
    this.capacity = Math.floor(Math.max(bytes, LEAST_BYTES) / perKey)
    this.slotCount = Math.ceil(this.capacity / LOAD_FACTOR)
    this.slots = new Uint32Array(this.slotCount * SLOT_WORDS)
    this.arena = Buffer.allocUnsafeSlow(this.capacity * (LENGTH_BYTES + KEY_BYTES))
  }

  /** Keys in it. */
  get size(): number {
    return this.count
  }

  /**
   * Records that the latest offset of the key `bytes[start, end)` is `offset`, unless a later one is known. The first key
   * always fits in.
   *
   * @returns false when there is no room for another key; nothing has changed then
   */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const { slots, arenaEnd } = this
    const hash = hashOf(bytes, start, end)
    const slot = this.find(hash, bytes, start, end)
    if (slots[slot + 1] !== 0) {
      if (offset > this.offsetAt(slot)) this.setOffset(slot, offset)
      return true
    }
    const keyAt = arenaEnd + LENGTH_BYTES
    const keyEnd = keyAt + end - start
    // one that fits into no map of this size would be refused for ever, and with it all that come after it
    if (this.count === 0 && keyEnd > this.arena.length) this.arena = Buffer.allocUnsafeSlow(keyEnd)
    const { arena } = this
    if (this.count === this.capacity || keyEnd > arena.length) return false
    arena.writeUInt32LE(end - start, arenaEnd)
    for (let at = keyAt, from = start; from < end;) arena[at++] = bytes[from++]
    slots[slot] = hash
    slots[slot + 1] = arenaEnd + 1
    this.setOffset(slot, offset)
    this.arenaEnd = keyEnd
    this.count++
    return true
  }

  /** The latest offset of the key `bytes[start, end)`, or -1. */
  get(bytes: Uint8Array, start: number, end: number): number {
    const slot = this.find(hashOf(bytes, start, end), bytes, start, end)
    return this.slots[slot + 1] === 0 ? -1 : this.offsetAt(slot)
  }

  private offsetAt(slot: number): number {
    return this.slots[slot + 3] * 0x100000000 + this.slots[slot + 2]
  }

  private setOffset(slot: number, offset: number): void {
    this.slots[slot + 2] = offset >>> 0
    this.slots[slot + 3] = Math.floor(offset / 0x100000000)
  }

  /** Where the slot of the key is, or the free one where it would go. */
  private find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const { slots } = this
    let slot = Math.floor((hash / 0x100000000) * this.slotCount) * SLOT_WORDS
    for (let place = slots[slot + 1]; place !== 0; place = slots[slot + 1]) {
      if (slots[slot] === hash && this.holds(place - 1, bytes, start, end)) break
      slot += SLOT_WORDS
      if (slot === slots.length) slot = 0
    }
    return slot
  }

  private holds(place: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { arena } = this
    const length = arena[place] | (arena[place + 1] << 8) | (arena[place + 2] << 16) | (arena[place + 3] << 24)
    if (length !== end - start) return false
    for (let at = place + LENGTH_BYTES; start < end;) if (arena[at++] !== bytes[start++]) return false
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
