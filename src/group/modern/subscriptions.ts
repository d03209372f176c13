import { VarveError } from '../../errors.ts'
import type { MemberMetadata, ModernMember, TopicSource } from './modern-group.ts'
import type { SubscribedTopic } from './target-assignment.ts'
import { TopicPattern } from './topic-pattern.ts'

/** Names of topics that a pattern was held against. */
const NAMES_MAX = 100_000

/** Which topics the members of a group subscribe to, by name or by pattern; looked for anew with each heartbeat of any. */
export class Subscriptions {
  private readonly patterns = new Map<string, { pattern: TopicPattern; known: Map<string, boolean> }>()
  /** What all members say together, or null when that has changed. */
  private said: { names: ReadonlySet<string>; patterns: ReadonlySet<string> } | null = null

  /** Members came or went, or say something else. */
  changed(): void {
    this.said = null
  }

  /** @throws VarveError INVALID_REGULAR_EXPRESSION */
  learn(source: string): void {
    if (source !== '') this.entry(source)
  }

  /** The names of topics that are there, sorted. */
  of({ topics, pattern }: MemberMetadata, source: TopicSource): string[] {
    const names = new Set(topics.filter((name) => source.find(name) !== undefined))
    if (pattern !== null) for (const name of this.matching(pattern, source)) names.add(name)
    return [...names].sort()
  }

  /** The topics of all members, by name. */
  topics(members: ReadonlyMap<string, ModernMember>, source: TopicSource): Map<string, SubscribedTopic> {
    const { names, patterns } = (this.said ??= this.collect(members))
    const found = new Map<string, SubscribedTopic>()
    const add = (name: string) => {
      const topic = source.find(name)
      if (topic !== undefined) found.set(name, topic)
    }
    for (const name of names) add(name)
    for (const pattern of patterns) for (const name of this.matching(pattern, source)) add(name)
    return found
  }

  private collect(members: ReadonlyMap<string, ModernMember>) {
    const names = new Set<string>()
    const patterns = new Set<string>()
    for (const { metadata } of members.values()) {
      for (const name of metadata.topics) names.add(name)
      if (metadata.pattern !== null) patterns.add(metadata.pattern)
    }
    for (const source of this.patterns.keys()) if (!patterns.has(source)) this.patterns.delete(source)
    return { names, patterns }
  }

  private matching(source: string, topics: TopicSource): string[] {
    const entry = this.knownEntry(source)
    if (entry === null) return []
    const { pattern, known } = entry
    if (known.size > NAMES_MAX) known.clear()
    return [...topics.names()].filter((name) => {
      const isKnown = known.get(name)
      if (isKnown !== undefined) return isKnown
      const matches = pattern.matches(name)
      known.set(name, matches)
      return matches
    })
  }

  /** Null for a pattern that Kafka has stored, and that is none here. */
  private knownEntry(source: string) {
    try {
      return this.entry(source)
    } catch (error) {
      if (error instanceof VarveError) return null
      throw error
    }
  }

  private entry(source: string) {
    let entry = this.patterns.get(source)
    if (entry === undefined) {
      entry = { pattern: new TopicPattern(source), known: new Map() }
      this.patterns.set(source, entry)
    }
    return entry
  }
}
