import { open } from 'lmdb'
import type { Peer } from '../peer.ts'

/**
 * lmdb: `transactionSync` with `append` puts, keys `uint32`, values `binary`, `overlappingSync: false`, `noSync` where
 * unsynced. Many in flight have the coalescing aid, which is faster than the package's own asynchronous batches. Replay
 * and reads at random take `getBinaryFast`, whose buffer is used again by the next read.
 */
export function load(): Peer {
  return {
    groupsCommits: false,
    open(directory, { acknowledge }) {
      const store = open<Buffer, number>({
        path: `${directory}/lmdb`,
        encoding: 'binary',
        keyEncoding: 'uint32',
        overlappingSync: false,
        noSync: acknowledge === 'unsynced',
      })
      const [last] = store.getKeys({ reverse: true, limit: 1 })
      let next = (last ?? -1) + 1
      const appendBatch = (records: Buffer[]) =>
        store.transactionSync(() => {
          for (const record of records) store.putSync(next++, record, { append: true })
        })
      const read = (sequence: number): Buffer => {
        const record = store.getBinaryFast(sequence)
        if (record === undefined) throw new Error(`no record ${sequence}`)
        return record
      }
      return {
        append: (record) => appendBatch([record]),
        appendBatch,
        replay(visit) {
          for (let sequence = 0; sequence < next; sequence++) visit(read(sequence))
        },
        read,
        close: () => store.close(),
      }
    },
  }
}
