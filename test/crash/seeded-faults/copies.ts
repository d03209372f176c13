import { testOf, type SeededFault } from './fault.ts'

const BACKUP = 'crash/backup'

/** Backups and repairs: a directory that is complete, or is not there. */
export const COPIES: readonly SeededFault[] = [
  {
    id: 'backup-not-at-one-moment',
    what: 'a backup cuts half of the partitions later than the others',
    standsFor: 'a backup is what the log held at one moment',
    file: 'src/engine/backup.ts',
    find: 'const cuts = await engine.change(() => this.holds.between(() => this.cut()))\n',
    replace:
      'const early = await engine.change(() => this.holds.between(() => this.cut()))\n' +
      '    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))\n' +
      '    const late = await engine.change(() => this.holds.between(() => this.cut()))\n' +
      '    const cuts = early.map((cut, i) => (i % 2 === 0 && late.find(({ key }) => key === cut.key)) || cut)\n' +
      '    for (const cut of [...early, ...late]) if (!cuts.includes(cut)) await cut.release()\n',
    hunts: [testOf(BACKUP, 'one moment')],
  },
  {
    id: 'backup-before-commits',
    what: 'a backup takes what readers do not see yet',
    standsFor: 'nothing is in a backup that is not visible to readers',
    file: 'src/engine/backup.ts',
    find: 'highWatermark > log.durableOffset || ',
    replace: 'log.logEndOffset > log.durableOffset || ',
    hunts: [testOf('engine/backup', 'waits for its sync'), testOf(BACKUP, 'one moment')],
  },
  {
    id: 'backup-data-not-synced',
    what: 'the segments of a backup are not synced',
    standsFor: 'KAFKA-10101: a checkpoint ahead of the data',
    file: 'src/storage/new-segment.ts',
    find: 'endOffset)\n      await log.sync()',
    replace: 'endOffset)',
    hunts: [testOf(BACKUP, 'one moment'), testOf(BACKUP, 'power cut')],
  },
  {
    id: 'backup-renamed-before-sync',
    what: 'a backup gets its name before it is durable that it is complete',
    standsFor: 'nedb #92: renamed before the sync',
    file: 'src/engine/new-directory.ts',
    find: 'this.isMarked = false\n    await storage.syncDirectory(path)\n',
    replace: 'this.isMarked = false\n',
    hunts: [testOf(BACKUP, 'power cut'), testOf(BACKUP, 'one moment')],
  },
  {
    id: 'backup-name-not-durable',
    what: 'the name of a complete backup is not made durable',
    standsFor: 'KAFKA-3968, one level up',
    file: 'src/engine/new-directory.ts',
    find: 'this.isRenamed = true\n    await storage.syncDirectory(dirname(directory))',
    replace: 'this.isRenamed = true',
    hunts: [testOf(BACKUP, 'power cut'), testOf(BACKUP, 'one moment')],
  },
  {
    id: 'backup-complete-before-its-checkpoint',
    what: 'a backup counts as complete when its data are there, before its checkpoint is',
    standsFor: 'etcd #16596: a stop during initialisation',
    file: 'src/engine/new-directory.ts',
    find: 'const files = new CheckpointFiles(storage, path)\n',
    replace:
      'const files = new CheckpointFiles(storage, path)\n' +
      '    await storage.removeFile(this.marker)\n    await storage.syncDirectory(path)\n' +
      '    await storage.rename(path, this.directory)\n    await storage.rename(this.directory, path)\n' +
      '    await this.mark()\n',
    hunts: [testOf(BACKUP, 'power cut')],
  },
  {
    id: 'backup-left-after-failure',
    what: 'a backup that failed leaves what it has copied',
    standsFor: 'a backup that fails leaves nothing',
    file: 'src/client/backup.ts',
    find: 'await target.abandon()\n',
    replace: '',
    hunts: [testOf(BACKUP, 'fails, leaves nothing')],
  },
  {
    id: 'backup-over-what-is-there',
    what: 'a backup removes whatever stands where it is to be written',
    standsFor: 'open deletes nothing that is not its own',
    file: 'src/engine/new-directory.ts',
    find: 'if (names.length > 0 && !names.includes(INCOMPLETE_FILE)) {',
    replace: 'if (names.length < 0) {',
    hunts: [testOf(BACKUP, 'goes nowhere')],
  },
  {
    id: 'backup-files-not-held',
    what: 'segments that retention deletes meanwhile are missing in a backup',
    standsFor: 'a backup is what the log held at one moment',
    file: 'src/engine/backup.ts',
    find: 'segments.map(({ segment }) => segment.hold())',
    replace: 'segments.map(() => async () => {})',
    hunts: [testOf(BACKUP, 'holds the files')],
  },
  {
    id: 'backup-in-the-same-epoch',
    what: 'a backup goes on under the leader epoch of the log that it was taken of',
    standsFor: 'KIP-101: two histories under one epoch',
    file: 'src/engine/backup.ts',
    find: 'const leaderEpoch = log.leaderEpoch + 1\n',
    replace: 'const leaderEpoch = log.leaderEpoch\n',
    hunts: [testOf(BACKUP, 'one moment')],
  },
]
