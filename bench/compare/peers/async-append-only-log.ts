import openLog from 'async-append-only-log'
import type { Peer } from '../peer.ts'

const WRITE_TIMEOUT_MS = 1
const BLOCK_BYTES = 64 * 1024
/** The u16 length before each record. */
const HEADER_BYTES = 2
const UNDRAINED_BATCHES_MAX = 16

/**
 * async-append-only-log: blocks of 64 KiB as by default, `writeTimeout` 1 ms in place of 250 ms, acknowledged at `onDrain`,
 * which many in flight share. It cannot write without fsync: `unsynced` takes the append's own callback, which comes
 * before anything is written (a killed process loses that), and waits for a drain every 16 batches, to bound memory. Replay
 * is its stream. It reads by byte position; that of a sequence is computed, which works as all records have one size.
 */
export function load(): Peer {
  return {
    groupsCommits: true,
    open(directory, { acknowledge, recordBytes }) {
      const log = openLog(`${directory}/log`, { writeTimeout: WRITE_TIMEOUT_MS })
      const recordsPerBlock = Math.floor((BLOCK_BYTES - HEADER_BYTES) / (HEADER_BYTES + recordBytes))
      let batches = 0
      const append = (records: Buffer | Buffer[]) =>
        new Promise<void>((resolve, reject) =>
          log.append(records, (error) => {
            if (error !== null) reject(error)
            else if (acknowledge === 'unsynced' && ++batches % UNDRAINED_BATCHES_MAX !== 0) resolve()
            else log.onDrain(resolve)
          }),
        )
      return {
        append,
        appendBatch: append,
        replay: (visit) =>
          new Promise((resolve, reject) =>
            log.stream({ offsets: false }).pipe({
              paused: false,
              write: visit,
              end: (error) => (error instanceof Error ? reject(error) : resolve()),
            }),
          ),
        read: (sequence) =>
          new Promise((resolve, reject) => {
            const block = Math.floor(sequence / recordsPerBlock)
            const offset = block * BLOCK_BYTES + (sequence % recordsPerBlock) * (HEADER_BYTES + recordBytes)
            log.get(offset, (error, record) => (error === null ? resolve(record) : reject(error)))
          }),
        close: () =>
          new Promise<void>((resolve, reject) =>
            log.close((error) => (error instanceof Error ? reject(error) : resolve())),
          ),
      }
    },
  }
}
