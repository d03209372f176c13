/** A part of a value that MessagePack has no form for. */
interface Loss {
  /** What it is. */
  what: string
  /** What the program should do. */
  advice: string
  /** Where in the value it is, as code would name it: `.lines[0].at`, empty for the value itself. */
  at: string
}

/**
 * Looks through a value for what is encoded as MessagePack without a word, and would be lost: what becomes `{}`, or what
 * nobody can decode.
 *
 * No code of the program runs meanwhile: what a getter or a `toJSON()` gives is not looked into.
 *
 * @returns what it is, where, and what to do, as in "cannot hold ..."; null where nothing is lost
 */
export function describeLoss(value: unknown): string | null {
  const loss = findLoss(value)
  if (loss === null) return null
  const { what, advice, at } = loss
  return `${what}${at === '' ? '' : ` (value${at})`}: ${advice}`
}

/** Names the kind of a value: "a number", "an instance of Date". */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  const { constructor } = value
  return `an instance of ${typeof constructor === 'function' ? constructor.name || 'a nameless class' : 'Object'}`
}

function findLoss(value: unknown): Loss | null {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return null
  if (Array.isArray(value)) return lossInItems(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  // what ends a chain of prototypes is an Object.prototype, perhaps that of another realm
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return lossInFields(value)
  if (value.constructor === Map) return lossInMap(value)
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return null
  if (ENCODED_CLASSES.some((known) => value instanceof known)) return null
  if (value instanceof Set) return lossInItems([...(value as Set<unknown>)])
  return lossOfInstance(value) ?? lossInFields(value)
}

function lossInItems(items: readonly unknown[]): Loss | null {
  for (let i = 0; i < items.length; i++) {
    const loss = findLoss(items[i])
    if (loss !== null) return { ...loss, at: `[${i}]${loss.at}` }
  }
  return null
}

function lossInFields(value: object): Loss | null {
  for (const name of Object.keys(value)) {
    const loss = findLoss(Object.getOwnPropertyDescriptor(value, name)?.value)
    if (loss !== null) return { ...loss, at: `${access(name)}${loss.at}` }
  }
  return null
}

/** A Map is read back as an object, whose keys are text. */
function lossInMap(map: Map<unknown, unknown>): Loss | null {
  const advice = 'make all its keys strings, or store its entries as an array, [...map]'
  const names = new Set<string>()
  for (const [key, member] of map) {
    if (typeof key !== 'string' && typeof key !== 'number') {
      return { what: `a Map with a key that is ${kindOf(key)}`, advice, at: '' }
    }
    const name = String(key)
    if (names.has(name)) return { what: `a Map with both ${name} and '${name}' as keys`, advice, at: '' }
    names.add(name)
    const loss = findLoss(member)
    if (loss !== null) return { ...loss, at: `.get(${JSON.stringify(key)})${loss.at}` }
  }
  return null
}

const ENCODED_CLASSES = [Date, Error, RegExp, ArrayBuffer] as const
const BOXES = [Number, String, Boolean, BigInt, Symbol] as unknown as (new () => object)[]

/** An instance of a class stands for its fields. Some have what they are elsewhere, where nobody can get at it. */
function lossOfInstance(value: object): Loss | null {
  const loss = (what: string, advice: string): Loss => ({ what: `${kindOf(value)}${what}`, advice, at: '' })
  if (value instanceof Map) return loss(', a kind of Map', 'store new Map(it)')
  if (value instanceof Promise) return loss('', 'await it first')
  if (BOXES.some((box) => value instanceof box)) return loss('', 'store what its valueOf() gives')
  if (Object.keys(value).length > 0) return null
  return loss(', which shows no fields of its own', 'store plain data, or give its class a toJSON()')
}

function access(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}
