/**
 * A map that never changes: every change gives a new one, and shares what it can with the old one.
 *
 * To replace or add one value costs the copy of an array of pointers, about a fiftieth of a copy of a Map: this is what
 * keeps a rebalance of a thousand members, of two thousand steps, cheap.
 */
export class PersistentMap<K, V> implements ReadonlyMap<K, V> {
  /** Shared with other versions, some of which hold more: what stands at or beyond the own size is not in this map. */
  private readonly positions: Map<K, number>
  private readonly keyList: readonly K[]
  private readonly valueList: readonly V[]

  private constructor(positions: Map<K, number>, keys: readonly K[], values: readonly V[]) {
    this.positions = positions
    this.keyList = keys
    this.valueList = values
  }

  /** Takes the entries in their order; no key may come twice. */
  static of<K, V>(entries: Iterable<readonly [K, V]>): PersistentMap<K, V> {
    const keys: K[] = []
    const values: V[] = []
    for (const [key, value] of entries) {
      keys.push(key)
      values.push(value)
    }
    return new PersistentMap(positionsOf(keys), keys, values)
  }

  get size(): number {
    return this.valueList.length
  }

  get(key: K): V | undefined {
    const position = this.positionOf(key)
    return position === undefined ? undefined : this.valueList[position]
  }

  has(key: K): boolean {
    return this.positionOf(key) !== undefined
  }

  keys(): MapIterator<K> {
    return this.keyList.values()
  }

  values(): MapIterator<V> {
    return this.valueList.values()
  }

  *entries(): MapIterator<[K, V]> {
    for (const [position, key] of this.keyList.entries()) yield [key, this.valueList[position]]
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this)
  }

  /** Sets one value: in its place where the key is there already, else at the end. */
  with(key: K, value: V): PersistentMap<K, V> {
    const position = this.positionOf(key)
    if (position !== undefined)
      return new PersistentMap(this.positions, this.keyList, this.valueList.with(position, value))
    // another version may have added a key of its own at this place: then they part
    const positions = this.positions.size === this.size ? this.positions : positionsOf(this.keyList)
    positions.set(key, this.size)
    return new PersistentMap(positions, [...this.keyList, key], [...this.valueList, value])
  }

  /** Puts a new key and its value in the place of an old key. */
  replaceKey(oldKey: K, key: K, value: V): PersistentMap<K, V> {
    return PersistentMap.of([...this].map((entry) => (entry[0] === oldKey ? [key, value] : entry)))
  }

  /** Keeps the entries that the predicate takes. */
  filter(keeps: (value: V, key: K) => boolean): PersistentMap<K, V> {
    return PersistentMap.of([...this].filter(([key, value]) => keeps(value, key)))
  }

  /** Changes every value. */
  map(change: (value: V) => V): PersistentMap<K, V> {
    return new PersistentMap(this.positions, this.keyList, this.valueList.map(change))
  }

  some(predicate: (value: V) => boolean): boolean {
    return this.valueList.some(predicate)
  }

  find(predicate: (value: V) => boolean): V | undefined {
    return this.valueList.find(predicate)
  }

  private positionOf(key: K): number | undefined {
    const position = this.positions.get(key)
    return position !== undefined && position < this.size ? position : undefined
  }
}

function positionsOf<K>(keys: readonly K[]): Map<K, number> {
  return new Map(keys.map((key, position) => [key, position]))
}
