import type { MemoryInode } from './memory-file.ts'

export type MemoryNode = MemoryInode | MemoryDirectory

/** One call that changed directories. A rename across two directories changes both. */
export interface DirectoryOperation {
  /** Order among all changes of the storage. */
  readonly sequence: number
  readonly kind: 'create' | 'rename' | 'remove'
  /** What was created, removed or renamed, by its old name. */
  readonly path: string
  /** The new name; only of a rename. */
  readonly to?: string
}

/** What one operation did to one name of one directory. */
export interface EntryChange {
  readonly operation: DirectoryOperation
  readonly name: string
  readonly before: MemoryNode | undefined
  readonly after: MemoryNode | undefined
}

/** The entries of a directory as a running program sees them, and the changes that a power cut may undo, in order. */
export class MemoryDirectory {
  readonly kind = 'directory'
  private readonly nodes: Map<string, MemoryNode>
  private changes: EntryChange[]

  constructor(nodes: Iterable<readonly [string, MemoryNode]> = [], changes: readonly EntryChange[] = []) {
    this.nodes = new Map(nodes)
    this.changes = [...changes]
  }

  get entries(): ReadonlyMap<string, MemoryNode> {
    return this.nodes
  }

  get pending(): readonly EntryChange[] {
    return this.changes
  }

  /** Gives `name` to `node`; takes the name away when it is undefined. */
  set(name: string, node: MemoryNode | undefined, operation: DirectoryOperation): void {
    this.changes.push({ operation, name, before: this.nodes.get(name), after: node })
    setEntry(this.nodes, name, node)
  }

  /** Makes the changes so far durable. */
  settle(): void {
    this.changes = []
  }

  /** Puts entries and pending changes in place that could not be known yet when the directory was made. */
  fill(nodes: Iterable<readonly [string, MemoryNode]>, changes: readonly EntryChange[]): void {
    for (const [name, node] of nodes) this.nodes.set(name, node)
    this.changes.push(...changes)
  }

  /** The entries as of the last sync. */
  durableEntries(): Map<string, MemoryNode> {
    const entries = new Map(this.nodes)
    for (const { name, before } of this.changes.toReversed()) setEntry(entries, name, before)
    return entries
  }
}

/** Sets or deletes a name. */
export function setEntry(entries: Map<string, MemoryNode>, name: string, node: MemoryNode | undefined): void {
  if (node === undefined) entries.delete(name)
  else entries.set(name, node)
}
