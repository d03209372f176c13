import { storageError, systemErrorCode } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { Catalog } from './catalog.ts'
import { deletedDirectoryName, deletedTopicId, parseDirectoryName, partitionDirectory, readTopicId } from './layout.ts'
import type { TopicRecord } from './topic.ts'

/**
 * Removes the directories of a topic whose deletion is durable. They are renamed first, so that a topic of the same
 * name can be created at once.
 */
export async function removeTopicDirectories(
  storage: Storage,
  root: string,
  { directory, topicId, partitions }: TopicRecord,
): Promise<void> {
  const renamed: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const name = partitionDirectory(directory, partition)
    const target = `${root}/${deletedDirectoryName(name, topicId)}`
    try {
      await storage.removeDirectory(target)
      await storage.rename(`${root}/${name}`, target)
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

/** Completes the deletions that a stop has interrupted: of topics that the catalog knows to be deleted, of no others. */
export async function completeDeletions(storage: Storage, root: string, catalog: Catalog): Promise<void> {
  let removed = false
  const live = new Set(catalog.topics.map(({ directory }) => directory))
  for (const { name, kind } of await storage.list(root)) {
    if (kind !== 'directory' || live.has(parseDirectoryName(name)?.base ?? '')) continue
    const path = `${root}/${name}`
    const topicId =
      deletedTopicId(name) ??
      (catalog.hasDeletions && parseDirectoryName(name) !== null ? await readTopicId(storage, path) : null)
    if (topicId === null || !catalog.wasDeleted(topicId)) continue
    await storage.removeDirectory(path)
    removed = true
  }
  if (removed) await storage.syncDirectory(root)
}
