/** What two servers answered differently, and why it stays so. */
import type { Facts } from './facts.ts'

/** One structure of an answer that is not the same: those of its fields that differ. */
export interface Difference {
  where: string
  kafka: string
  varve: string
}

/** Why differences stay. */
export interface Explanation {
  why: string
  /** The places, by their beginnings or as a whole; `*` stands for anything. */
  where: readonly string[]
}

const ABSENT = 'absent'

/**
 * Compares two sets of facts, structure by structure. Where an error differs nothing else of its structure is told, and
 * where a structure is missing nothing that is in it.
 */
export function differencesOf(kafka: Facts, varve: Facts): Difference[] {
  const structures = new Map<string, [field: string, kafka: string | undefined, varve: string | undefined][]>()
  const known = [structuresOf(kafka), structuresOf(varve)]
  for (const path of new Set([...kafka.keys(), ...varve.keys()])) {
    if (kafka.get(path) === varve.get(path)) continue
    const [parent, field] = split(path)
    const fields = structures.get(parent) ?? []
    structures.set(parent, fields)
    fields.push([field, kafka.get(path), varve.get(path)])
  }
  const found: Difference[] = []
  const closed: string[] = []
  for (const [where, fields] of [...structures].sort(([a], [b]) => a.length - b.length)) {
    if (closed.some((outer) => where.startsWith(`${outer} / `))) continue
    const isMissing = known.map((structure) => !structure.has(where))
    const error = fields.find(([field]) => field === 'errorCode')
    if (isMissing[0] || isMissing[1] || error !== undefined) closed.push(where)
    const told = error === undefined ? fields : [error]
    const text = (side: 1 | 2) =>
      isMissing[side - 1] ? ABSENT : told.map((one) => `${one[0]} ${one[side] ?? ABSENT}`).join(', ')
    found.push({ where, kafka: text(1), varve: text(2) })
  }
  return found.sort((a, b) => (a.where < b.where ? -1 : 1))
}

/** All structures that facts are of, the outer ones too. */
function structuresOf(facts: Facts): Set<string> {
  const found = new Set<string>()
  for (let path of facts.keys()) {
    while (path.includes(' / ')) {
      ;[path] = split(path)
      found.add(path)
    }
  }
  return found
}

function split(path: string): [parent: string, field: string] {
  const at = path.lastIndexOf(' / ')
  return [path.slice(0, at), path.slice(at + 3)]
}

/** Finds for each difference its explanation. */
export function explain(differences: readonly Difference[], explanations: readonly Explanation[]) {
  const used = new Set<string>()
  const explained = new Map<Explanation, Difference[]>()
  const unexplained: Difference[] = []
  for (const difference of differences) {
    const found = explanations
      .flatMap((explanation) => explanation.where.map((where) => ({ explanation, where })))
      .find(({ where }) => matches(where, difference.where))
    if (found === undefined) {
      unexplained.push(difference)
      continue
    }
    used.add(found.where)
    explained.set(found.explanation, [...(explained.get(found.explanation) ?? []), difference])
  }
  const vanished = explanations.flatMap(({ where }) => where).filter((where) => !used.has(where))
  return { explained, unexplained, vanished }
}

function matches(pattern: string, where: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}`).test(where)
}
