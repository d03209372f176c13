import { parseLogFileName } from '../storage/segment-name.ts'
import { replaceFile, unlessMissing, type Storage } from '../storage/storage.ts'

/** What recoveries cut off is kept here. */
export const SAVED_DIRECTORY = 'recovery'

/** In each partition's directory but the catalog's: the topic's id. */
export const METADATA_FILE = 'partition.metadata'
const MAX_DIRECTORY_NAME = 200
const SEGMENT_FILE = /^\d{20}\.(log|index|timeindex)$/
/** Device names that Windows keeps for itself, with or without an extension. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i

/** A partition's directory that the catalog does not know. */
export interface UnknownDirectory {
  path: string
  /** As its name says. */
  topic: string
  partition: number
  /** From its `partition.metadata`, or null. */
  topicId: string | null
}

/** `<base>-<partition>`. */
export function partitionDirectory(base: string, partition: number): string {
  return `${base}-${partition}`
}

/**
 * The name of a new topic's directories: Kafka's `<topic>-<partition>`, unless a file system that folds case would take
 * it for another topic's, or Windows for a device. Those get a part of the topic's id; '~' stands in no topic's name.
 *
 * @param taken lower-case names of the directories there are
 */
export function directoryBase(name: string, topicId: string, taken: ReadonlySet<string>): string {
  const free = !taken.has(name.toLowerCase())
  if (free && !RESERVED.test(name)) return name
  const id = Buffer.from(topicId, 'base64url').toString('hex').slice(0, 12)
  return RESERVED.test(name) ? `~${id}` : `${name.slice(0, MAX_DIRECTORY_NAME)}~${id}`
}

/** Splits `<topic>-<partition>` at the last '-'; null for any other name. */
export function parseDirectoryName(name: string): { base: string; partition: number } | null {
  const parts = /^(.+)-(0|[1-9]\d{0,8})$/.exec(name)
  return parts === null ? null : { base: parts[1], partition: Number(parts[2]) }
}

/** The name that a directory of a deleted topic gets until its files are gone. */
export function deletedDirectoryName(name: string, topicId: string): string {
  return `${name.slice(0, MAX_DIRECTORY_NAME)}.${Buffer.from(topicId, 'base64url').toString('hex')}-delete`
}

/** The topic id in a name that `deletedDirectoryName` gave, or null. */
export function deletedTopicId(name: string): string | null {
  const hex = /\.([0-9a-f]{32})-delete$/.exec(name)?.[1]
  return hex === undefined ? null : Buffer.from(hex, 'hex').toString('base64url')
}

/** Writes a partition's `partition.metadata`, as Kafka does: it binds the directory to its topic's id. */
export async function writePartitionMetadata(storage: Storage, directory: string, topicId: string): Promise<void> {
  await replaceFile(storage, directory, METADATA_FILE, Buffer.from(`version: 0\ntopic_id: ${topicId}`))
}

/** The topic id in a partition's directory, or null where there is none to read. */
export async function readTopicId(storage: Storage, directory: string): Promise<string | null> {
  const content = await unlessMissing<Buffer | null>(storage.readFile(`${directory}/${METADATA_FILE}`), () => null)
  return content === null ? null : parseTopicId(content)
}

/** The topic id in the content of a `partition.metadata`, or null when it is anything else. */
export function parseTopicId(content: Buffer): string | null {
  return /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\s*$/.exec(content.toString('utf8'))?.[1] ?? null
}

/** Whether a directory holds anything but what an interrupted creation of a partition leaves: its id and empty files. */
export async function holdsAnything(storage: Storage, directory: string): Promise<boolean> {
  for (const { name, kind } of await storage.list(directory)) {
    if (name === METADATA_FILE || name === `${METADATA_FILE}.tmp`) continue
    if (kind !== 'file' || !SEGMENT_FILE.test(name)) return true
    const file = await storage.openFile(`${directory}/${name}`, 'read')
    try {
      if ((await file.size()) > 0) return true
    } finally {
      await file.close()
    }
  }
  return false
}

/** The directories under `root` that look like partitions and are not `known`. */
export async function findUnknownDirectories(
  storage: Storage,
  root: string,
  known: ReadonlySet<string>,
): Promise<UnknownDirectory[]> {
  const found: UnknownDirectory[] = []
  for (const { name, kind } of await storage.list(root)) {
    const parsed = parseDirectoryName(name)
    if (kind !== 'directory' || parsed === null || known.has(name)) continue
    const path = `${root}/${name}`
    const isPartition = (await storage.list(path)).some((entry) => parseLogFileName(entry.name) !== null)
    if (!isPartition) continue
    found.push({ path, topic: parsed.base, partition: parsed.partition, topicId: await readTopicId(storage, path) })
  }
  return found
}
