import { storageError, systemErrorCode } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { Catalog } from './catalog.ts'
import { deletedDirectoryName, deletedTopicId, parseDirectoryName, partitionDirectory, readTopicId } from './layout.ts'
import { partitionNumbers, type TopicRecord } from './topic.ts'

/**
 * Removes the directories of a topic whose deletion is durable. They are renamed first, so that a topic of the same
 * name can be created at once, and so that what a stop leaves of one does not look like anybody's.
 */
export async function removeTopicDirectories(storage: Storage, root: string, record: TopicRecord): Promise<void> {
  await removeDirectories(storage, root, directoriesOf(record), () => record.topicId)
}

/** Completes the deletions that a stop has interrupted: of topics that the catalog knows to be deleted, of no others. */
export async function completeDeletions(storage: Storage, root: string, catalog: Catalog): Promise<void> {
  // those of live topics are many, and need not be looked into
  const live = new Set(catalog.topics.flatMap(directoriesOf))
  const owners = new Map<string, string>()
  for (const { name, kind } of await storage.list(root)) {
    if (kind !== 'directory' || live.has(name)) continue
    const mayBeDeleted = catalog.hasDeletions && parseDirectoryName(name) !== null
    const topicId = deletedTopicId(name) ?? (mayBeDeleted ? await readTopicId(storage, `${root}/${name}`) : null)
    if (topicId !== null && catalog.wasDeleted(topicId)) owners.set(name, topicId)
  }
  if (owners.size > 0) await removeDirectories(storage, root, [...owners.keys()], (name) => owners.get(name)!)
}

async function removeDirectories(
  storage: Storage,
  root: string,
  names: readonly string[],
  ownerOf: (name: string) => string,
): Promise<void> {
  const renamed: string[] = []
  for (const name of names) {
    const target = `${root}/${deletedTopicId(name) === null ? deletedDirectoryName(name, ownerOf(name)) : name}`
    try {
      if (target !== `${root}/${name}`) {
        await storage.removeDirectory(target)
        await storage.rename(`${root}/${name}`, target)
      }
      renamed.push(target)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT')
        throw storageError(error, `delete '${root}/${name}'`, { path: `${root}/${name}` })
    }
  }
  await storage.syncDirectory(root)
  for (const path of renamed) await storage.removeDirectory(path)
  await storage.syncDirectory(root)
}

function directoriesOf(record: TopicRecord): string[] {
  return partitionNumbers(record).map((partition) => partitionDirectory(record.directory, partition))
}
