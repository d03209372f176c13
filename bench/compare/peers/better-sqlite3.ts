import Database from 'better-sqlite3'
import type { Peer } from '../peer.ts'

const MMAP_BYTES = 1024 ** 3

/**
 * better-sqlite3: journal_mode WAL, synchronous FULL where durable and OFF where not, mmap_size 1 GiB, one table
 * `log(sequence INTEGER PRIMARY KEY, value BLOB)`, prepared statements, one transaction per batch, automatic checkpoints
 * as they are by default. Synchronous, so many in flight have the coalescing aid. Replay is `iterate()`.
 */
export function load(): Peer {
  return {
    groupsCommits: false,
    open(directory, { acknowledge }) {
      const database = new Database(`${directory}/log.db`)
      database.pragma('journal_mode = WAL')
      database.pragma(`synchronous = ${acknowledge === 'unsynced' ? 'OFF' : 'FULL'}`)
      database.pragma(`mmap_size = ${MMAP_BYTES}`)
      database.exec('CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY, value BLOB)')
      const insert = database.prepare('INSERT INTO log VALUES (?, ?)')
      const all = database.prepare<[], Buffer>('SELECT value FROM log ORDER BY sequence').pluck()
      const one = database.prepare<[number], Buffer>('SELECT value FROM log WHERE sequence = ?').pluck()
      const last = database.prepare<[], number | null>('SELECT max(sequence) FROM log').pluck()
      let next = (last.get() ?? -1) + 1
      return {
        append: (record) => insert.run(next++, record),
        appendBatch: database.transaction((records: Buffer[]) => {
          for (const record of records) insert.run(next++, record)
        }),
        replay(visit) {
          for (const record of all.iterate()) visit(record)
        },
        read: (sequence) => one.get(sequence)!,
        close: () => void database.close(),
      }
    },
  }
}
