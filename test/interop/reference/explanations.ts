import type { Explanation } from './differences.ts'

const BATCH = 'Produce, what is not a batch / '
const CREATE = 'CreateTopics / '
const CONFIGS = 'DescribeConfigs / all / results[dc] / configs'

/** Why Varve answers differently from Apache Kafka, for each difference that stays. Each place must still differ. */
export const explanations: readonly Explanation[] = [
  {
    why: 'A member that nobody knows is told to join again, whether there is such a group or not.',
    where: ['ConsumerGroupHeartbeat / a member of nothing goes on'],
  },
  {
    why: 'Whether there is such a group is looked at before what is said to it.',
    where: ['ConsumerGroupHeartbeat / static leave without an instance'],
  },
  {
    why: 'A count of -2 closes the connection; Kafka takes it for none.',
    where: ['Frames / -2 topics'],
  },
  {
    why: 'Versions are served that Kafka 4 has given up.',
    where: [8, 19, 20, 32, 35].map((key) => `ApiVersions / version 4 / apiKeys[${key}]`),
  },
  {
    why:
      'Not served: transactions, SASL, access lists, quotas, delegation tokens, replicas, features, ' +
      'share and streams groups.',
    where: ['ApiVersions / version 4 / apiKeys[*', 'ApiVersions / version 4'],
  },
  {
    why:
      'Records are stored as they come: header and checksum are looked at, what is under the checksum is ' +
      "the client's. Kafka parses each record, and calls some of what it finds an unknown error.",
    where: [
      `${BATCH}both too great`,
      `${BATCH}both too small`,
      `${BATCH}bytes after the record`,
      `${BATCH}negative header count`,
      `${BATCH}record cut`,
      `${BATCH}record too long`,
      `${BATCH}said to be`,
    ],
  },
  { why: 'Kafka cuts what follows the last whole batch and says nothing.', where: [`${BATCH}a byte more`] },
  { why: 'Kafka fails with an unknown error.', where: [`${BATCH}codec 5`, `${BATCH}too great a length`] },
  { why: 'There are no transactions yet, whoever asks.', where: [`${BATCH}transactional`] },
  {
    why:
      'A batch that is sent again is answered with the time of its first append only where the topic has ' +
      'LogAppendTime; Kafka tells the time of its last record.',
    where: [
      'Produce, sequences / 5 / ',
      'Produce, sequences / 5 again',
      'Produce, sequences at their end / over the end again',
    ],
  },
  {
    why: 'With a refused batch there is no start of the log, which no client looks at then.',
    where: [
      `${BATCH}control`,
      `${BATCH}count`,
      `${BATCH}last offset too great`,
      'Produce, by the topic / without keys',
      'Produce, sequences / * responses[p-seq]',
    ],
  },
  {
    why: 'What a client fills in as base offset is overwritten, whatever it is.',
    where: ['Produce, where to / base offset 77'],
  },
  {
    why: 'Both batches are appended; Kafka appends one and drops the other without a word.',
    where: ['Produce, where to / a partition twice', 'Produce, where to / end', 'Produce, where to / transactional id'],
  },
  {
    why: "No record is refused for its time: Kafka's hour (message.timestamp.after.max.ms) is not applied.",
    where: ['Produce, by the topic / a day ahead', `${CONFIGS}[message.timestamp.after.max.ms]`],
  },
  {
    why: 'Only the log may say that the time is that of the append; Kafka looks at it on topics of LogAppendTime alone.',
    where: ['Produce, by the topic / append time by the client'],
  },
  {
    why: 'No bytes means no bytes but the first batch; Kafka fails with an unknown error.',
    where: ['Fetch, how much / -1 bytes of a partition'],
  },
  {
    why: 'An isolation level that there is not reads all; Kafka fails with an unknown error.',
    where: ['Fetch, how much / isolation 2', 'ListOffsets / isolation 2'],
  },
  {
    why: 'There are no replicas: who says that it is one is answered as a client.',
    where: ['Fetch, how much / as a replica'],
  },
  {
    why: 'The epoch of the last record that a replica has: there are none, and no consumer sends it.',
    where: ['Fetch, how much / last epoch 5'],
  },
  {
    why: 'An answer has whole batches only, Kafka may cut the last one, which clients drop.',
    where: ['Fetch, how much / one batch and a half'],
  },
  {
    why:
      'A list of aborted transactions comes with reads of what is committed alone; Kafka adds an empty ' +
      'one to unknown topics and partitions.',
    where: [
      'Fetch, how much / partition',
      'Fetch, how much / unknown topic',
      'Fetch by id / unknown id',
      'Fetch by id / known and unknown',
      'Fetch sessions / * partitions[7]',
    ],
  },
  { why: 'A topic without id and name is unknown by its name.', where: ['Fetch by id / no id'] },
  { why: 'A session without partitions is not kept.', where: ['Fetch sessions / begins empty'] },
  {
    why: 'Times before 1970 are times, below the special ones.',
    where: ['ListOffsets / time -7', 'ListOffsets / time -100'],
  },
  {
    why: 'Each of the two is answered.',
    where: ['ListOffsets / a partition twice', 'DeleteTopics / twice', 'DeleteTopics / by id and by name'],
  },
  {
    why: 'While a group rebalances its members have no assignment; Kafka tells that of before.',
    where: ['A group of two / described while it does'],
  },
  {
    why: 'A topic may be asked for by its id from version 10 on, not from 12.',
    where: ['Metadata / by id, in version 10'],
  },
  {
    why: 'A topic that is not named has a name that may not be; Kafka fails with an unknown error.',
    where: ['Metadata / by neither'],
  },
  { why: 'There is no such topic here, and the name is free.', where: [`${CREATE}name '__cluster_metadata'`] },
  {
    why: "The log's own topics belong to the log, whether they are there or not.",
    where: [`${CREATE}name '__consumer_offsets'`, 'CreatePartitions / the internal topic'],
  },
  {
    why: 'Names are not those of metrics: dots and underscores are told apart.',
    where: [`${CREATE}dot and underscore collide, second`],
  },
  { why: 'A topic that is not made has no id; Kafka makes one up.', where: [`${CREATE}only checked`] },
  {
    why: 'What has no effect here is read-only, and can only be set to its default, which sets nothing.',
    where: [
      `${CREATE}file.delete.delay.ms=1000`,
      `${CREATE}flush.m`,
      `${CREATE}max.compaction.lag.ms=5`,
      `${CREATE}min.insync.replicas=`,
      `${CREATE}preallocate=`,
      `${CREATE}segment.index.bytes=12`,
      `${CREATE}unclean.leader.election.enable=true`,
      ...[
        'compression.gzip.level',
        'compression.lz4.level',
        'compression.zstd.level',
        'file.delete.delay.ms',
        'flush.messages',
        'flush.ms',
        'follower.replication.throttled.replicas',
        'leader.replication.throttled.replicas',
        'local.retention.bytes',
        'local.retention.ms',
        'max.compaction.lag.ms',
        'message.timestamp.before.max.ms',
        'min.insync.replicas',
        'preallocate',
        'remote.log.copy.disable',
        'remote.log.delete.on.disable',
        'remote.storage.enable',
        'segment.index.bytes',
        'segment.jitter.ms',
        'unclean.leader.election.enable',
      ].map((name) => `${CONFIGS}[${name}]`),
    ],
  },
  {
    why:
      'What was made to be one value is told as that value: policies in one order and once each, numbers ' +
      'without blanks, and compression.type=producer as what holds where nothing is set.',
    where: [
      `${CREATE}retention.ms= 5 `,
      `${CREATE}cleanup.policy=delete,compact`,
      `${CREATE}cleanup.policy= compact , delete `,
      `${CREATE}cleanup.policy=compact,compact`,
      `${CREATE}compression.type=producer`,
      'AlterConfigs / after append',
    ],
  },
  {
    why: 'Values that cannot be meant are refused.',
    where: [
      `${CREATE}retention.bytes=-5`,
      `${CREATE}max.message.bytes=0`,
      `${CREATE}cleanup.policy=`,
      `${CREATE}min.cleanable.dirty.ratio=NaN`,
      `${CREATE}a config twice`,
      'AlterConfigs / delete an unknown config',
      'AlterConfigs / subtract the last',
    ],
  },
  { why: 'Segments may be small.', where: [`${CREATE}segment.bytes=14`] },
  { why: 'A topic without a name has a name that may not be.', where: ['AlterConfigs / empty name'] },
  {
    why: 'What Kafka meets with an unknown error is told as what it is.',
    where: ['AlterConfigs / operation 4', 'Cluster / name that may not be'],
  },
  {
    why: 'The kind of endpoint that was asked for is told, also where there is none.',
    where: ['Cluster / controllers', 'Cluster / endpoint type 9'],
  },
  { why: 'Nothing may be done to a topic that is not there.', where: ['Cluster / unknown'] },
  {
    why: 'Records stay until somebody says otherwise: retention.ms is -1.',
    where: [
      `${CONFIGS}[retention.ms]`,
      'DescribeConfigs / version',
      'DescribeConfigs / a broker / results[1] / configs[log.retention.ms]',
    ],
  },
  {
    why: 'The default is told in milliseconds; Kafka has it in hours, under a name that it does not tell.',
    where: [`${CONFIGS}[segment.ms]`],
  },
  {
    why: 'Configurations of the server come from its options, when it starts.',
    where: [
      'DescribeConfigs / a broker / results[1] / configs[auto.create.topics.enable]',
      'DescribeConfigs / a broker / results[1] / configs[num.partitions]',
      'DescribeConfigs / a broker / results[1] / configs[log.segment.bytes]',
      'DescribeConfigs / a broker / results[1] / configs[message.max.bytes]',
    ],
  },
  {
    why: 'There is nothing that was set for all brokers; Kafka sets min.insync.replicas so when it is formatted.',
    where: ['DescribeConfigs / all brokers'],
  },
  { why: 'No small request may ask for one long answer over and over.', where: ['DescribeConfigs / twice'] },
]
