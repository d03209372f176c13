import { MemoryDirectory, setEntry, type DirectoryOperation, type MemoryNode } from './memory-directory.ts'
import { MemoryInode, type ByteRange, type FileChange } from './memory-file.ts'

/** A write that was not synced when the power was cut. */
export interface PendingWrite {
  /** Where the file is found after the crash. */
  path: string
  /** Bytes. */
  position: number
  /** Bytes. */
  length: number
  /** 0, 1, ... in the order of the writes, over all files that are there after the crash. */
  index: number
  /** Order among all changes of the disk: writes, truncates and directory operations. */
  sequence: number
  /** Of the file before this write, bytes: the write makes it grow where it reaches beyond. */
  sizeBefore: number
}

/** A truncate that was not synced when the power was cut. */
export interface PendingTruncate {
  path: string
  /** The new size, bytes. */
  size: number
  /** 0, 1, ... in the order of the truncates, over all files that are there after the crash. */
  index: number
  /** Order among all changes of the disk. */
  sequence: number
}

/** A creation, rename or removal whose directory was not synced when the power was cut. */
export interface PendingDirectoryOperation {
  kind: 'create' | 'rename' | 'remove'
  /** What was created, removed or renamed, by its old name. */
  path: string
  /** The new name; only of a rename. */
  to?: string
  /** 0, 1, ... in the order of the operations, over all directories. */
  index: number
  /** Order among all changes of the disk. */
  sequence: number
}

/** What a power cut leaves of that which was not synced. By default nothing. */
export interface CrashOptions {
  /**
   * Says what survived of a write: its first n bytes (0 to `length`), or the given ranges of it, `[start, end)` from its
   * first byte: sectors reach the disk in any order.
   */
  choose?: (write: PendingWrite) => number | readonly ByteRange[]
  /** Says whether a truncate survived. */
  keepTruncate?: (truncate: PendingTruncate) => boolean
  /** Says whether an operation survived. Half of a rename across directories may be durable already. */
  keepDirectoryOperation?: (operation: PendingDirectoryOperation) => boolean
  /**
   * `'kept'` (default): a file has grown as far as bytes survived. `'written'`: as far as was written, also where the
   * bytes did not survive.
   */
  size?: 'written' | 'kept'
  /** What stands where a file has grown and its bytes did not survive; `'zeros'` by default. Garbage is never zero. */
  fill?: 'zeros' | 'garbage'
}

/** Copies a tree as a power cut leaves it. */
export function crashedTree(root: MemoryDirectory, options: CrashOptions): MemoryDirectory {
  const entriesOf = survivingEntries(root, options)
  const files: FoundFile[] = []
  const copies = new Map<MemoryNode, MemoryNode>()
  const copyOf = (node: MemoryNode, path: string): MemoryNode => {
    const known = copies.get(node)
    if (known !== undefined) return known
    if (node.kind === 'file') {
      const image = new MemoryInode()
      copies.set(node, image)
      files.push({ path, inode: node, image })
      return image
    }
    const copy = new MemoryDirectory()
    copies.set(node, copy)
    copy.fill(
      [...entriesOf(node)].map(([name, child]) => [name, copyOf(child, `${path}/${name}`)] as const),
      [],
    )
    return copy
  }
  const copy = copyOf(root, '') as MemoryDirectory
  const survived = survivingChanges(files, options)
  const { size = 'kept', fill = 'zeros' } = options
  for (const { inode, image } of files) image.become(inode.afterCrash({ survived, size, fill }))
  return copy
}

/** Copies a tree as it is: what is not synced stays so. */
export function clonedTree(root: MemoryDirectory): MemoryDirectory {
  const copies = new Map<MemoryNode, MemoryNode>()
  const copyOf = <Node extends MemoryNode | undefined>(node: Node): Node => {
    if (node === undefined) return node
    const known = copies.get(node)
    if (known !== undefined) return known as Node
    const copy = node.kind === 'file' ? node.clone() : new MemoryDirectory()
    copies.set(node, copy)
    if (node.kind === 'directory' && copy.kind === 'directory') {
      copy.fill(
        [...node.entries].map(([name, child]) => [name, copyOf(child)] as const),
        node.pending.map((change) => ({ ...change, before: copyOf(change.before), after: copyOf(change.after) })),
      )
    }
    return copy as Node
  }
  return copyOf(root)
}

interface FoundFile {
  path: string
  inode: MemoryInode
  image: MemoryInode
}

/** Decides which directory operations survive; returns what each directory holds then. */
function survivingEntries(root: MemoryDirectory, { keepDirectoryOperation }: CrashOptions) {
  const entries = new Map<MemoryDirectory, Map<string, MemoryNode>>()
  const entriesOf = (directory: MemoryDirectory) => {
    let found = entries.get(directory)
    if (found === undefined) entries.set(directory, (found = directory.durableEntries()))
    return found
  }
  if (keepDirectoryOperation === undefined) return entriesOf

  const changes = directoriesUnder(root).flatMap((directory) =>
    directory.pending.map((change) => ({ directory, change })),
  )
  changes.sort((a, b) => a.change.operation.sequence - b.change.operation.sequence)
  let index = -1
  let current: DirectoryOperation | null = null
  let kept = false
  for (const { directory, change } of changes) {
    const { operation, name, after } = change
    if (operation !== current) {
      index += 1
      current = operation
      const { kind, path, to, sequence } = operation
      const pending = { kind, path, index, sequence }
      kept = keepDirectoryOperation(to === undefined ? pending : { ...pending, to })
    }
    if (kept) setEntry(entriesOf(directory), name, after)
  }
  return entriesOf
}

/** All directories that are there now, were at the last sync, or were in between. */
function directoriesUnder(root: MemoryDirectory): MemoryDirectory[] {
  const found = new Set([root])
  for (const directory of found) {
    const nodes = [...directory.entries.values(), ...directory.pending.flatMap(({ before, after }) => [before, after])]
    for (const node of nodes) if (node?.kind === 'directory') found.add(node)
  }
  return [...found]
}

/** Decides what survives of each pending change of the files. */
function survivingChanges(files: FoundFile[], { choose, keepTruncate }: CrashOptions) {
  const survived = new Map<FileChange, readonly ByteRange[]>()
  if (choose !== undefined || keepTruncate !== undefined) {
    const changes = files.flatMap(({ path, inode }) => inode.pending.map((change) => ({ path, change })))
    changes.sort((a, b) => a.change.sequence - b.change.sequence)
    let [writes, truncates] = [0, 0]
    for (const { path, change } of changes) {
      const { position, length, sequence, sizeBefore } = change
      if (change.kind === 'truncate') {
        const kept = keepTruncate?.({ path, size: position, index: truncates++, sequence }) ?? false
        survived.set(change, kept ? [[0, 0]] : [])
      } else {
        const kept = choose?.({ path, position, length, index: writes++, sequence, sizeBefore }) ?? 0
        survived.set(change, rangesWithin(length, kept))
      }
    }
  }
  return (change: FileChange) => survived.get(change) ?? []
}

function rangesWithin(length: number, kept: number | readonly ByteRange[]): readonly ByteRange[] {
  const ranges = typeof kept === 'number' ? [[0, kept] as const] : kept
  for (const [start, end] of ranges) {
    const valid = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= length
    if (!valid) throw new RangeError(`choose: [${start}, ${end}) is not a part of a write of ${length} bytes`)
  }
  return ranges.filter(([start, end]) => start < end)
}
