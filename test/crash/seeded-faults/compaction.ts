import { testOf, type SeededFault } from './fault.ts'

const CRASHES = testOf('crash/compaction')
const MODEL = testOf('model/compaction')
const DIRECTED = testOf('client/varve.compaction')

/** Compaction, and the exchange of segments. */
export const COMPACTION: readonly SeededFault[] = [
  {
    id: 'cleaned-segment-not-synced',
    what: 'a compacted segment takes the place of others before its data is durable',
    standsFor: 'KAFKA-7401: interrupted swap',
    file: 'src/storage/cleaned-segment.ts',
    find: '    await this.log.sync()\n',
    replace: '',
    hunts: [CRASHES],
  },
  {
    id: 'swap-names-not-durable',
    what: 'the names of a compacted segment are not durable when the checkpoint lists the exchange',
    standsFor: 'KAFKA-6264: interrupted swap',
    file: 'src/storage/cleaned-segment.ts',
    find: 'await storage.syncDirectory(directory)',
    replace: 'void directory',
    hunts: [CRASHES],
  },
  {
    id: 'exchange-listed-once',
    what: 'only one of the two checkpoints knows of an exchange when old segments go',
    standsFor: 'a damaged checkpoint falls back to the other one',
    file: 'src/storage/segment-exchange.ts',
    find: 'await store()\n      await store()',
    replace: 'await store()',
    hunts: [CRASHES],
  },
  {
    id: 'exchange-forgotten-first',
    what: 'the checkpoints forget an exchange before its files have their names',
    standsFor: 'KAFKA-12520: interrupted swap recovery',
    file: 'src/storage/segment-exchange.ts',
    find:
      'await completeSwap(this.log.context.storage, this.log.directory, swap)\n' +
      '    await this.close()\n    this.swap = null\n',
    replace:
      'this.swap = null\n    await this.forget(store)\n' +
      '    await completeSwap(this.log.context.storage, this.log.directory, swap)\n    await this.close()\n',
    hunts: [CRASHES],
  },
  {
    id: 'exchange-not-completed-at-open',
    what: 'an exchange that the checkpoint lists is not completed by an open',
    standsFor: 'KAFKA-12520: interrupted swap recovery',
    file: 'src/storage/segment-exchange.ts',
    find: 'if (checkpoint.swap !== undefined && isComplete) await completeSwap(storage, directory, checkpoint.swap)',
    replace: '',
    hunts: [CRASHES],
  },
  {
    id: 'unlisted-swap-promoted',
    what: 'an open gives a compacted segment its name although no checkpoint lists the exchange',
    standsFor: 'KAFKA-7401: swap files trusted after a stop',
    file: 'src/storage/segment-exchange.ts',
    find: 'await removeIfPresent(storage, `${directory}/${name}`)\n  }\n  return isComplete',
    replace:
      "if (found.swap === '.swap')\n" +
      "      await storage.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -'.swap'.length)}`)\n" +
      '    else await removeIfPresent(storage, `${directory}/${name}`)\n  }\n  return isComplete',
    hunts: [CRASHES],
  },
  {
    id: 'old-segments-come-back',
    what: 'the end of an exchange is not made durable before it is forgotten',
    standsFor: 'KAFKA-6264: deleted segments back after a crash',
    file: 'src/storage/segment-exchange.ts',
    find: '    if (isOld) await removeIfPresent(storage, `${directory}/${name}`)\n  }\n  await storage.syncDirectory(directory)',
    replace: '    if (isOld) await removeIfPresent(storage, `${directory}/${name}`)\n  }',
    hunts: [CRASHES],
  },
  {
    id: 'compacts-by-what-is-not-durable',
    what: 'an older record goes by a newer one that a power cut may take',
    standsFor: 'only what is durable makes another one obsolete',
    file: 'src/storage/partition-log.ts',
    find: 'return this.segments.slice(0, Math.max(this.segments.indexOf(this.durableSegment), 0))',
    replace: 'return this.segments.slice(0, -1)',
    hunts: [CRASHES],
  },
  {
    id: 'tombstone-dropped-early',
    what: 'a tombstone goes in the compaction that first sees it',
    standsFor: 'KIP-534: a tombstone stays for deleteRetentionMs',
    file: 'src/storage/log-compaction.ts',
    find: 'retains.tombstones = horizon === null || this.nowMs < horizon',
    replace: 'retains.tombstones = horizon !== null && this.nowMs < horizon',
    hunts: [MODEL, DIRECTED],
  },
  {
    id: 'transaction-supersedes',
    what: 'a record of a transaction that may have been aborted makes an older one obsolete',
    standsFor: 'KAFKA-13727: aborted transactions after a partial clean',
    file: 'src/storage/log-compaction.ts',
    find: 'if (header.lastOffset < firstDirty || isMarker(header) || isTransactional(header)) return true',
    replace: 'if (header.lastOffset < firstDirty || isMarker(header)) return true',
    hunts: [testOf('interop/kafka-compacted'), testOf('golden/compact'), DIRECTED],
  },
  {
    id: 'compacts-over-damage',
    what: 'compaction goes over batches without a look at their checksums',
    standsFor: 'NATS #7549: damage spreads',
    file: 'src/storage/log-compaction.ts',
    find: 'const fault = findBatchFault(chunk, at, end)\n',
    replace: 'const fault = findHeaderFault(chunk, at, end)\n',
    hunts: [DIRECTED],
  },
  {
    id: 'keys-mixed-up',
    what: 'two keys of one hash are taken for one',
    standsFor: 'Kafka SkimpyOffsetMap compares hashes only',
    file: 'src/storage/offset-map.ts',
    find: 'if (length !== end - start) return false\n',
    replace: 'if (length >= 0) return true\n',
    hunts: [testOf('storage/offset-map')],
  },
]
