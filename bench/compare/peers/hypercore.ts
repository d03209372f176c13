import Hypercore from 'hypercore'
import type { Peer } from '../peer.ts'

const GETS_IN_FLIGHT = 256

/**
 * hypercore: as it is by default: every append is hashed into a Merkle tree and signed. It has no way to ask for a sync.
 * Replay keeps 256 `get` calls in flight, which is faster than its read stream.
 */
export function load(): Peer {
  return {
    groupsCommits: true,
    async open(directory) {
      const core = new Hypercore(`${directory}/core`)
      await core.ready()
      return {
        append: (record) => core.append(record),
        appendBatch: (records) => core.append(records),
        async replay(visit) {
          for (let first = 0; first < core.length; first += GETS_IN_FLIGHT) {
            const count = Math.min(GETS_IN_FLIGHT, core.length - first)
            const gets = Array.from({ length: count }, (_, i) => core.get(first + i))
            for (const record of await Promise.all(gets)) visit(record)
          }
        },
        read: (sequence) => core.get(sequence),
        close: () => core.close(),
      }
    },
  }
}
