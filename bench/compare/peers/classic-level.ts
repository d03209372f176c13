import { ClassicLevel } from 'classic-level'
import type { Peer } from '../peer.ts'

const KEY_BYTES = 8
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024
const PAGE_RECORDS = 1000

/**
 * classic-level (LevelDB): big-endian keys of 8 bytes, values as bytes, snappy as it is by default, `sync` where durable,
 * `writeBufferSize` 32 MiB. Its concurrent `put`s do not share syncs, so many in flight have the coalescing aid. Replay is
 * `nextv(1000)`, batches are chained ones.
 */
export function load(): Peer {
  return {
    groupsCommits: false,
    async open(directory, { acknowledge }) {
      const sync = acknowledge !== 'unsynced'
      const level = new ClassicLevel<Buffer, Buffer>(`${directory}/level`, {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
        writeBufferSize: WRITE_BUFFER_BYTES,
      })
      await level.open()
      const [last] = await level.keys({ reverse: true, limit: 1 }).all()
      let next = last === undefined ? 0 : last.readUInt32BE(4) + 1
      return {
        append: (value) => level.put(keyOf(next++), value, { sync }),
        appendBatch(records) {
          const batch = level.batch()
          for (const value of records) batch.put(keyOf(next++), value)
          return batch.write({ sync })
        },
        async replay(visit) {
          const values = level.values()
          for (;;) {
            const page = await values.nextv(PAGE_RECORDS)
            if (page.length === 0) break
            for (const value of page) visit(value)
          }
          await values.close()
        },
        read: async (sequence) => (await level.get(keyOf(sequence)))!,
        close: () => level.close(),
      }
    },
  }
}

function keyOf(sequence: number): Buffer {
  const key = Buffer.alloc(KEY_BYTES)
  key.writeUInt32BE(sequence, 4)
  return key
}
