import type * as varve from '../../../src/index.ts'
import type { Peer } from '../peer.ts'

/**
 * Varve: one topic of one partition, `valueCodec: 'bytes'`, everything else as it is by default. `flush: 'each'` for one
 * append in flight, `'group'` for many and for durable batches, `'os'` for unsynced ones. Replay reads batches and takes
 * the bytes of each value; every checksum is verified. One at random is a `read` from its offset, left after a record.
 *
 * @param url the compiled index of the sources that are compared
 */
export async function load(url: string): Promise<Peer> {
  const { Varve } = (await import(url)) as typeof varve
  return {
    groupsCommits: true,
    async open(directory, { acknowledge }) {
      const log = await Varve.open({ directory, flush: acknowledge === 'unsynced' ? 'os' : acknowledge })
      if ((await log.listTopics()).length === 0) await log.createTopic({ name: 't', valueCodec: 'bytes' })
      return {
        append: (value) => log.append('t', { value }),
        appendBatch: (records) =>
          log.appendBatch(
            't',
            records.map((value) => ({ value })),
          ),
        async replay(visit) {
          for await (const batch of log.readBatches('t')) for (const record of batch) visit(record.valueBytes!)
        },
        async read(from) {
          for await (const record of log.read('t', { partition: 0, from })) return record.valueBytes!
          throw new Error(`no record ${from}`)
        },
        close: () => log.close(),
      }
    },
  }
}
