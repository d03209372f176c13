import eventStorage from 'event-storage'
import type { Peer } from '../peer.ts'

const WRITE_BUFFER_BYTES = 2 * 1024 * 1024
const INDEX_WRITE_BUFFER_BYTES = 64 * 1024
const READ_BUFFER_BYTES = 64 * 1024

/**
 * event-storage: its `Storage` layer alone (no streams, no consumers), one partition, records as strings that are not
 * serialized any further, `syncOnFlush` where durable, write buffers of 2 MiB (index: 64 KiB), a read buffer of 64 KiB.
 * Acknowledged after `flush()`, which syncs log and index. Many in flight have the coalescing aid. Replay is `readRange`.
 */
export function load(): Peer {
  return {
    groupsCommits: false,
    open(directory, { acknowledge }) {
      const storage = new eventStorage.Storage('log', {
        dataDirectory: directory,
        serializer: { serialize: (text) => text, deserialize: (text) => text },
        syncOnFlush: acknowledge !== 'unsynced',
        writeBufferSize: WRITE_BUFFER_BYTES,
        readBufferSize: READ_BUFFER_BYTES,
        indexOptions: { writeBufferSize: INDEX_WRITE_BUFFER_BYTES },
      })
      storage.open()
      const appendBatch = (records: Buffer[]) => {
        for (const record of records) storage.write(record.toString('latin1'))
        storage.flush()
      }
      return {
        append: (record) => appendBatch([record]),
        appendBatch,
        replay(visit) {
          for (const record of storage.readRange(1)) visit(record)
        },
        read(sequence) {
          const record = storage.read(sequence + 1)
          if (record === false) throw new Error(`no record ${sequence}`)
          return record
        },
        close: () => storage.close(),
      }
    },
  }
}
