import type { CopiedPartition } from '../engine/backup.ts'
import type { LogEngine } from '../engine/log-engine.ts'
import { NewDirectory } from '../engine/new-directory.ts'
import { freshProducerIds } from '../engine/producer-ids.ts'
import { storageError } from '../errors.ts'
import { checkOptions, functionCheck, path as pathCheck, show } from '../options.ts'
import type { Damage } from '../storage/recovery.ts'
import { verifyDirectory } from '../inspect/verify-directory.ts'

/** How far a backup has come: every byte is copied first, and then the copy is read and checked. */
export interface BackupProgress {
  bytesDone: number
  /** Bytes to copy and to check. */
  bytesTotal: number
}

/** Options of `log.backup`. */
export interface BackupOptions {
  /** Called about once per MiB. */
  onProgress?: (progress: BackupProgress) => void
}

/** What a backup holds. */
export interface BackupResult {
  directory: string
  /** Every partition, those of internal topics too. */
  partitions: CopiedPartition[]
  /** Bytes of log. */
  sizeBytes: number
  /** What is damaged in the copy, because it was in the log: copied as it is, so that nothing is lost that can be read. */
  damage: Damage[]
  ms: number
}

/** See the public `Varve.backup`. */
export async function backUp(engine: LogEngine, directory: string, options: BackupOptions): Promise<BackupResult> {
  const fault = pathCheck(directory)
  if (fault !== null) throw new TypeError(`backup: directory ${fault}, not ${show(directory)}`)
  checkOptions('backup', options, { onProgress: functionCheck })
  engine.throwIfNotWritable()
  return engine.backups.run(async () => {
    engine.throwIfNotWritable()
    const started = engine.clock.monotonicMs()
    const { storage } = engine
    try {
      const target = await NewDirectory.create(storage, directory, engine.directory)
      try {
        const { partitions, damage } = await fill(engine, target, options)
        const sizeBytes = partitions.reduce((sum, one) => sum + one.sizeBytes, 0)
        const ms = engine.clock.monotonicMs() - started
        return { directory: target.directory, partitions, sizeBytes, damage, ms }
      } catch (error) {
        await target.abandon()
        throw error
      }
    } catch (error) {
      if (error instanceof RangeError) throw error
      throw storageError(error, `back up '${engine.directory}' to '${directory}'`, { path: directory })
    }
  })
}

async function fill(
  engine: LogEngine,
  target: NewDirectory,
  { onProgress }: BackupOptions,
): Promise<{ partitions: CopiedPartition[]; damage: Damage[] }> {
  const progress: BackupProgress = { bytesDone: 0, bytesTotal: 0 }
  const { partitions, checkpoints } = await engine.backups.copyTo(target.path, (bytes, total) => {
    progress.bytesDone += bytes
    progress.bytesTotal = total * 2
    if (bytes > 0) onProgress?.({ ...progress })
  })
  // the log goes on giving out ids, and the copy does not know them
  const producerIds = freshProducerIds(engine.random)
  await target.writeCheckpoint({ partitions: checkpoints, producerIds, clusterId: engine.clusterId.known })
  const copied = progress.bytesDone
  const { damage } = await verifyDirectory(target.path, {
    storage: engine.storage,
    onProgress({ bytesDone }) {
      // a close ends it
      engine.throwIfClosed()
      progress.bytesDone = Math.min(copied + bytesDone, progress.bytesTotal)
      onProgress?.({ ...progress })
    },
  })
  engine.throwIfClosed()
  await target.complete()
  const found = damage.filter(({ path }) => path !== target.marker)
  return {
    partitions,
    damage: found.map((one) => ({ ...one, path: target.directory + one.path.slice(target.path.length) })),
  }
}
