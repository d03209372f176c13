import { nodeStorage } from '../../storage/node-storage.ts'
import type { OpenMode, Storage, StorageFile } from '../../storage/storage.ts'

/** What passed through a counting storage since it was last reset. */
export interface SyncCounts {
  /** fdatasyncs of log segments. */
  log: number
  /** fdatasyncs of everything else: checkpoints and indexes. */
  other: number
}

/** The machine's disk, with its fdatasyncs counted. */
export class CountingStorage {
  readonly counts: SyncCounts = { log: 0, other: 0 }
  readonly storage: Storage

  /** @param synced called when a log segment has been synced, before the engine hears of it */
  constructor(synced: () => void) {
    const { counts } = this
    const disk = nodeStorage()
    this.storage = {
      openFile: async (path, mode) => countSyncs(await disk.openFile(path, mode), mode, counts, synced),
      readFile: (path) => disk.readFile(path),
      list: (path) => disk.list(path),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      removeFile: (path) => disk.removeFile(path),
      removeDirectory: (path) => disk.removeDirectory(path),
      syncDirectory: (path) => disk.syncDirectory(path),
      lockDirectory: (path) => disk.lockDirectory(path),
    }
  }

  reset(): void {
    this.counts.log = 0
    this.counts.other = 0
  }
}

function countSyncs(file: StorageFile, mode: OpenMode, counts: SyncCounts, synced: () => void): StorageFile {
  if (mode === 'read') return file
  const isLog = file.path.endsWith('.log')
  return {
    path: file.path,
    size: () => file.size(),
    read: (target, position) => file.read(target, position),
    write: (source, position) => file.write(source, position),
    async sync() {
      await file.sync()
      if (isLog) counts.log++
      else counts.other++
      if (isLog) synced()
    },
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  }
}
