import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecord;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.FileLogInputStream.FileChannelRecordBatch;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.ByteUtils;
import org.apache.kafka.common.utils.Crc32C;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.common.RequestLocal;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Writes partition directories with the classes of Apache Kafka's broker, and beside them what Kafka reads back from them
 * ("expected.json") and how Kafka encodes integers ("varints.json"). Every run writes the same bytes.
 *
 * <pre>java -cp CLASS_PATH GenerateGolden.java OUTPUT_DIRECTORY</pre>
 */
public class GenerateGolden {
  private static final int INDEX_INTERVAL_BYTES = 256;
  private static final int SEGMENT_BYTES = 4096;
  private static final int LONG_VALUE_BYTES = 1024;
  private static final long START_MS = 1_700_000_000_000L;
  private static final List<String> BATCH_FIELDS = List.of("position", "sizeBytes", "baseOffset", "lastOffset", "leaderEpoch",
    "checksum", "compressionType", "timestampType", "baseTimestamp", "maxTimestamp", "producerId", "producerEpoch",
    "baseSequence", "flags", "recordCount", "records");
  private static final List<String> RECORD_FIELDS = List.of("offset", "timestamp", "key", "value", "headers");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final FixedTime time = new FixedTime();
  private final Map<String, String> expected = new TreeMap<>();

  private GenerateGolden(Path directory) {
    this.directory = directory;
  }

  public static void main(String[] args) throws Exception {
    GenerateGolden generator = new GenerateGolden(Path.of(args[0]));
    generator.shapes();
    for (CompressionType type : CompressionType.values()) generator.codec(type);
    generator.replica();
    generator.times();
    generator.before1970();
    generator.appendTime();
    generator.transactions();
    generator.compacted();
    generator.writeExpected();
    generator.writeVarints();
  }

  /** Null, empty and long keys and values, headers of every kind, batches of 1 to 12 records, three leader epochs. */
  private void shapes() throws Exception {
    try (Partition partition = new Partition("shapes-0", Map.of("internal.segment.bytes", 12_288))) {
      Random random = new Random(1);
      long timestamp = START_MS;
      for (int batch = 0; batch < 30; batch++) {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i <= batch % 12; i++) {
          records.add(new SimpleRecord(timestamp, key(random), value(random), headers(random)));
          timestamp += random.nextInt(3) * random.nextInt(40_000);
        }
        // the lengths at which a varint grows to 3 bytes
        if (batch % 15 == 3) records.add(new SimpleRecord(timestamp, null, bytes(random, batch < 15 ? 8191 : 8192)));
        partition.append(batch < 10 ? 0 : batch < 20 ? 2 : 5, Compression.NONE, records);
      }
    }
  }

  private static byte[] key(Random random) {
    return switch (random.nextInt(6)) {
      case 0 -> null;
      case 1 -> new byte[0];
      case 2 -> bytes(random, 1 + random.nextInt(20));
      case 3 -> utf8("ключ-鍵-🔑");
      default -> utf8("customer-" + random.nextInt(1000));
    };
  }

  private static byte[] value(Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> null;
      case 1 -> new byte[0];
      case 2 -> bytes(random, random.nextInt(200));
      case 3 -> bytes(random, 63 + random.nextInt(2));
      default -> utf8("{\"amount\":" + random.nextInt(100_000) + "}");
    };
  }

  private static Header[] headers(Random random) {
    return switch (random.nextInt(6)) {
      case 0 -> new Header[] {new RecordHeader("source", utf8("web"))};
      case 1 -> new Header[] {
        new RecordHeader("trace", utf8("a")), new RecordHeader("trace", null), new RecordHeader("trace", utf8("b")),
      };
      case 2 -> new Header[] {new RecordHeader("", new byte[0]), new RecordHeader("naïve-名", bytes(random, 70))};
      default -> Record.EMPTY_HEADERS;
    };
  }

  /** The same records under each compression type; the partition's number is the type's id. */
  private void codec(CompressionType type) throws Exception {
    try (Partition partition = new Partition("codecs-" + type.id, Map.of("internal.segment.bytes", 16_384))) {
      Random random = new Random(2);
      Compression compression = Compression.of(type).build();
      for (int batch = 0; batch < 8; batch++) {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
          byte[] value = i % 5 == 4 ? bytes(random, 40) : utf8("the quick brown fox no. " + random.nextInt(10) + " jumps");
          Header[] headers = i % 4 == 0 ? new Header[] {new RecordHeader("n", utf8("" + i))} : Record.EMPTY_HEADERS;
          records.add(new SimpleRecord(START_MS + batch * 1000 + i, utf8("k" + i % 7), i == 11 ? null : value, headers));
        }
        partition.append(0, compression, records);
      }
      partition.log.roll();
      // a batch of many records, and one of more bytes than a block of any compressor holds
      partition.append(0, compression, repeated(type == CompressionType.NONE ? 3 : 150, START_MS + 9000, new byte[0]));
      if (type != CompressionType.NONE) partition.append(0, compression, repeated(2, START_MS + 9001, new byte[70_000]));
      partition.append(0, compression, repeated(1, START_MS + 9002, utf8("last")));
    }
  }

  private static List<SimpleRecord> repeated(int count, long timestamp, byte[] value) {
    SimpleRecord record = new SimpleRecord(timestamp, null, value);
    return Stream.generate(() -> record).limit(count).toList();
  }

  /** What a follower writes: several batches in one append, which the indexes tell apart. */
  private void replica() throws Exception {
    try (Partition partition = new Partition("replica-0", Map.of())) {
      Random random = new Random(3);
      long offset = 1000;
      partition.log.truncateFullyAndStartAt(offset, Optional.empty());
      for (int append = 0; append < 12; append++) {
        ByteBuffer batches = ByteBuffer.allocate(64 * 1024);
        for (int batch = 0; batch <= append % 5; batch++) {
          SimpleRecord[] records = new SimpleRecord[1 + random.nextInt(4)];
          for (int i = 0; i < records.length; i++) {
            records[i] = new SimpleRecord(START_MS + random.nextInt(100_000), utf8("k" + i), bytes(random, random.nextInt(150)));
          }
          batches.put(MemoryRecords.withRecords(offset, Compression.NONE, append / 4, records).buffer());
          offset += records.length;
        }
        partition.log.appendAsFollower(MemoryRecords.readableRecords(batches.flip()), append / 4);
      }
    }
  }

  /** Timestamps out of order, far apart, equal, at the epoch and missing (-1). */
  private void times() throws Exception {
    // the first segment is filled to its last byte
    try (Partition partition = new Partition("times-0", Map.of("internal.segment.bytes", 1840))) {
      Random random = new Random(4);
      long[] wanted = {
        START_MS, START_MS - 1, START_MS + 1, 0, 1, RecordBatch.NO_TIMESTAMP, 8_640_000_000_000_000L, 1L << 31, (1L << 32) + 1,
        1L << 45,
      };
      for (int batch = 0; batch < 40; batch++) {
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i <= batch % 6; i++) {
          // all but the last batches keep away from the extremes, so that the time index grows
          long timestamp = batch > 34 ? wanted[(batch + i) % wanted.length]
            : START_MS + batch * 1000L + (random.nextInt(9) - 4) * 700L;
          records.add(new SimpleRecord(timestamp, utf8("k" + i), bytes(random, 30)));
        }
        partition.append(0, Compression.NONE, records);
      }
    }
  }

  /**
   * Timestamps below -1. Kafka's own producer refuses them, its log takes them from any other: the header is written by
   * DefaultRecordBatch for 1970, and the two timestamps and the checksum are then replaced.
   */
  private void before1970() throws Exception {
    try (Partition partition = new Partition("before1970-0", Map.of("internal.segment.bytes", 1024))) {
      Random random = new Random(5);
      long offset = 0;
      for (int batch = 0; batch < 24; batch++) {
        // the second half crosses 1970
        long base = batch < 12 ? -2_000_000_000_000L + batch * 60_000L : (batch - 18) * 5000L - 2;
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        long max = Long.MIN_VALUE;
        int count = 1 + batch % 4;
        for (int i = 0; i < count; i++) {
          long delta = i == 0 ? 0 : random.nextInt(4000) - 2000;
          max = Math.max(max, base + delta);
          ByteBuffer value = ByteBuffer.wrap(bytes(random, 40));
          DefaultRecord.writeTo(new DataOutputStream(body), i, delta, null, value, Record.EMPTY_HEADERS);
        }
        int size = DefaultRecordBatch.RECORD_BATCH_OVERHEAD + body.size();
        ByteBuffer bytes = ByteBuffer.allocate(size);
        bytes.position(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        bytes.put(body.toByteArray()).position(0);
        DefaultRecordBatch.writeHeader(bytes, offset, count - 1, size, RecordBatch.MAGIC_VALUE_V2, CompressionType.NONE,
          TimestampType.CREATE_TIME, 0, 0, RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH,
          RecordBatch.NO_SEQUENCE, false, false, false, 0, count);
        int timestampsAt = DefaultRecordBatch.LAST_OFFSET_DELTA_OFFSET + 4;
        bytes.putLong(timestampsAt, base).putLong(timestampsAt + 8, max);
        int attributesAt = DefaultRecordBatch.CRC_OFFSET + 4;
        bytes.putInt(DefaultRecordBatch.CRC_OFFSET, (int) Crc32C.compute(bytes.array(), attributesAt, size - attributesAt));
        partition.log.appendAsFollower(MemoryRecords.readableRecords(bytes.position(0)), 0);
        offset += count;
      }
    }
  }

  /** LogAppendTime: the broker's clock overrules the producers'. */
  private void appendTime() throws Exception {
    Map<String, Object> config = Map.of("internal.segment.bytes", 1536, "message.timestamp.type", "LogAppendTime");
    try (Partition partition = new Partition("append-time-0", config)) {
      Random random = new Random(6);
      for (int batch = 0; batch < 40; batch++) {
        // it stands still at times, and was once set back
        time.now = START_MS + (batch == 25 ? -5000 : batch / 3 * 10);
        List<SimpleRecord> records = new ArrayList<>();
        for (int i = 0; i <= batch % 3; i++) {
          records.add(new SimpleRecord(START_MS / 2 + random.nextInt(1000), utf8("k"), utf8("value " + batch + "." + i)));
        }
        partition.append(0, batch % 4 == 3 ? Compression.lz4().build() : Compression.NONE, records);
      }
    }
  }

  /** An idempotent producer, and transactions that were committed, aborted and left open. */
  private void transactions() throws Exception {
    try (Partition partition = new Partition("transactions-0", Map.of("internal.segment.bytes", 1024))) {
      short epoch = 3;
      for (int round = 0; round < 8; round++) {
        SimpleRecord record = new SimpleRecord(START_MS + round, utf8("k" + round), utf8("round " + round));
        partition.append(MemoryRecords.withIdempotentRecords(Compression.NONE, 7000, epoch, round * 2, record, record));
        partition.append(MemoryRecords.withTransactionalRecords(Compression.gzip().build(), 8000, epoch, round, record));
        partition.append(MemoryRecords.withTransactionalRecords(Compression.NONE, 9000, epoch, round, record));
        partition.endTransaction(8000, epoch, ControlRecordType.COMMIT);
        if (round < 7) partition.endTransaction(9000, epoch, ControlRecordType.ABORT);
      }
    }
  }

  /** What Kafka's cleaner leaves: offsets missing in batches and between them, a batch without records, delete horizons. */
  private void compacted() throws Exception {
    Map<String, Object> config = Map.of("cleanup.policy", "compact", "internal.segment.bytes", 2048);
    try (Partition partition = new Partition("compacted-0", config)) {
      Random random = new Random(7);
      for (int batch = 0; batch < 60; batch++) {
        SimpleRecord[] records = new SimpleRecord[1 + batch % 4];
        for (int i = 0; i < records.length; i++) {
          byte[] key = utf8("k" + (int) Math.abs(random.nextGaussian() * 12));
          byte[] value = random.nextInt(5) == 0 ? null : utf8("v" + batch + "." + i);
          records[i] = new SimpleRecord(START_MS + batch * 100 + i, key, value);
        }
        Compression compression = batch % 3 == 2 ? Compression.snappy().build() : Compression.NONE;
        if (batch % 10 == 5) {
          partition.append(MemoryRecords.withIdempotentRecords(compression, 5000 + batch, (short) 0, 0, records));
        } else {
          partition.append(0, compression, Arrays.asList(records));
        }
      }
      // this producer's last batch is overwritten whole, and stays for its sequence number
      SimpleRecord overwritten = new SimpleRecord(START_MS + 6000, utf8("gone"), utf8("first"));
      partition.append(MemoryRecords.withIdempotentRecords(Compression.NONE, 6000, (short) 0, 0, overwritten));
      partition.append(0, Compression.NONE, List.of(new SimpleRecord(START_MS + 6001, utf8("gone"), utf8("second"))));
      partition.log.roll();
      partition.append(0, Compression.NONE, List.of(new SimpleRecord(START_MS + 6002, utf8("active"), utf8("third"))));
      partition.log.updateHighWatermark(partition.log.logEndOffset());
      time.now = START_MS + 10_000;
      Throttler throttler = new Throttler(1e9, 300, "golden", "entries", time);
      SkimpyOffsetMap map = new SkimpyOffsetMap(1 << 20);
      Cleaner cleaner = new Cleaner(0, map, 1 << 16, 1 << 20, 0.75, throttler, time, topicPartition -> { });
      cleaner.clean(new LogToClean(partition.log, 0, partition.log.activeSegment().baseOffset(), true));
    }
  }

  /** One partition directory, written by Kafka's UnifiedLog; closing it notes down what Kafka reads in it. */
  private class Partition implements AutoCloseable {
    final String name;
    final UnifiedLog log;
    private final Map<String, Object> config;

    Partition(String name, Map<String, Object> overrides) throws IOException {
      this.name = name;
      time.now = START_MS;
      config = new TreeMap<>(Map.of("index.interval.bytes", INDEX_INTERVAL_BYTES, "internal.segment.bytes", SEGMENT_BYTES,
        "segment.ms", Long.MAX_VALUE, "message.timestamp.after.max.ms", Long.MAX_VALUE));
      config.putAll(overrides);
      File folder = directory.resolve(name).toFile();
      if (!folder.mkdirs()) throw new IOException("remove " + folder + " first");
      Uuid topicId = new Uuid(0x5661727665L, name.substring(0, name.lastIndexOf('-')).hashCode());
      log = UnifiedLog.create(folder, new LogConfig(config), 0, 0, new ImmediateScheduler(), new BrokerTopicStats(), time,
        Integer.MAX_VALUE, new ProducerStateManagerConfig(Integer.MAX_VALUE, false), Integer.MAX_VALUE,
        new LogDirFailureChannel(1), true, Optional.of(topicId));
    }

    void append(int leaderEpoch, Compression compression, List<SimpleRecord> records) throws IOException {
      log.appendAsLeader(MemoryRecords.withRecords(compression, records.toArray(new SimpleRecord[0])), leaderEpoch);
    }

    void append(MemoryRecords records) throws IOException {
      log.appendAsLeader(records, 0);
    }

    void endTransaction(long producerId, short epoch, ControlRecordType type) throws IOException {
      EndTransactionMarker marker = new EndTransactionMarker(type, 4);
      MemoryRecords records = MemoryRecords.withEndTransactionMarker(time.now, producerId, epoch, marker);
      short transactionVersion = 1;
      log.appendAsLeader(records, 0, AppendOrigin.COORDINATOR, RequestLocal.noCaching(), VerificationGuard.SENTINEL,
        transactionVersion);
    }

    @Override
    public void close() throws IOException {
      String lookups = lookups();
      long end = log.logEndOffset();
      List<String> files = new ArrayList<>();
      for (LogSegment segment : log.logSegments()) files.add(segment.log().file().getName());
      log.close();
      List<String> segments = new ArrayList<>();
      for (String file : files) {
        List<String> batches = new ArrayList<>();
        int position = 0;
        byte[] content = Files.readAllBytes(directory.resolve(name).resolve(file));
        for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(content)).batches()) {
          batches.add(describe(position, (DefaultRecordBatch) batch));
          position += batch.sizeInBytes();
        }
        if (position != content.length) throw new IOException(file + " holds more than batches");
        segments.add("\"" + file + "\":[\n" + String.join(",\n", batches) + "]");
      }
      config.values().removeIf(value -> value.equals(Long.MAX_VALUE));
      expected.put(name, "{\"config\":" + json(config) + ",\"logEndOffset\":" + end
        + ",\n\"offsetsForTimestamps\":" + lookups + ",\n\"segments\":{\n" + String.join(",\n", segments) + "}}");
    }

    /** Pairs of a timestamp and the offset that Kafka finds for it, -1 for none. */
    private String lookups() throws IOException {
      TreeSet<Long> timestamps = new TreeSet<>();
      for (LogSegment segment : log.logSegments()) {
        // where all timestamps are negative, Kafka goes by when the file was changed, and finds anything or nothing
        if (segment.maxTimestampSoFar() < 0) return "[]";
        int index = 0;
        for (FileChannelRecordBatch batch : segment.log().batches()) {
          long timestamp = batch.maxTimestamp();
          if (index++ % 5 == 0) timestamps.addAll(List.of(timestamp - 1, timestamp, timestamp + 1));
        }
      }
      // negative ones are commands
      timestamps.removeIf(timestamp -> timestamp < 0);
      List<List<Long>> pairs = new ArrayList<>();
      for (long timestamp : timestamps) {
        var found = log.fetchOffsetByTimestamp(timestamp, Optional.empty()).timestampAndOffsetOpt();
        pairs.add(List.of(timestamp, found.map(pair -> pair.offset).orElse(-1L)));
      }
      return json(pairs);
    }
  }

  /** One batch, its fields in the order of BATCH_FIELDS. */
  private static String describe(int position, DefaultRecordBatch batch) {
    batch.ensureValid();
    List<String> flags = new ArrayList<>();
    if (batch.isTransactional()) flags.add("transactional");
    if (batch.isControlBatch()) flags.add("control");
    if (batch.deleteHorizonMs().isPresent()) flags.add("deleteHorizon");
    List<String> records = new ArrayList<>();
    for (Record record : batch) {
      List<List<String>> headers = new ArrayList<>();
      for (Header pair : record.headers()) headers.add(Arrays.asList(pair.key(), base64(pair.value())));
      Object value = record.valueSize() <= LONG_VALUE_BYTES ? base64(record.value()) : digest(record.value());
      records.add(json(Arrays.asList(record.offset(), record.timestamp(), base64(record.key()), value, headers)));
    }
    String header = json(List.of(position, batch.sizeInBytes(), batch.baseOffset(), batch.lastOffset(),
      batch.partitionLeaderEpoch(), batch.checksum(), batch.compressionType().name, batch.timestampType().name,
      batch.baseTimestamp(), batch.maxTimestamp(), batch.producerId(), batch.producerEpoch(), batch.baseSequence(), flags,
      batch.countOrNull()));
    return header.substring(0, header.length() - 1) + ",[\n" + String.join(",\n", records) + "]]";
  }

  private void writeExpected() throws IOException {
    List<String> partitions = new ArrayList<>();
    expected.forEach((name, content) -> partitions.add("\"" + name + "\":" + content));
    String head = "{\"kafkaVersion\":\"" + AppInfoParser.getVersion() + "\",\n\"batchFields\":" + json(BATCH_FIELDS)
      + ",\n\"recordFields\":" + json(RECORD_FIELDS) + ",\n\"partitions\":{\n";
    Files.writeString(directory.resolve("expected.json"), head + String.join(",\n", partitions) + "}}\n");
  }

  /** Pairs of an integer and its bytes in hex: all powers of two and their neighbours, of either sign. */
  private void writeVarints() throws IOException {
    TreeSet<Long> values = new TreeSet<>();
    for (int bit = 0; bit < 63; bit++) {
      for (long value = (1L << bit) - 1; value <= (1L << bit) + 1; value++) values.addAll(List.of(value, -value));
    }
    List<String> varints = new ArrayList<>();
    List<String> varlongs = new ArrayList<>();
    for (long value : values) {
      ByteBuffer bytes = ByteBuffer.allocate(10);
      ByteUtils.writeVarlong(value, bytes);
      varlongs.add("[\"" + value + "\",\"" + hex(bytes) + "\"]");
      if (value != (int) value) continue;
      ByteUtils.writeVarint((int) value, bytes.clear());
      varints.add("[" + value + ",\"" + hex(bytes) + "\"]");
    }
    Files.writeString(directory.resolve("varints.json"), "{\"varint\":[\n" + String.join(",\n", varints)
      + "],\n\"varlong\":[\n" + String.join(",\n", varlongs) + "]}\n");
  }

  private static String hex(ByteBuffer written) {
    return HexFormat.of().formatHex(written.array(), 0, written.position());
  }

  private static String base64(ByteBuffer buffer) {
    if (buffer == null) return null;
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return base64(bytes);
  }

  private static String base64(byte[] bytes) {
    return bytes == null ? null : java.util.Base64.getEncoder().encodeToString(bytes);
  }

  /** Stands for a value that is too long to be written out. */
  private static Map<String, Object> digest(ByteBuffer value) {
    int length = value.remaining();
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      sha256.update(value);
      return new TreeMap<>(Map.of("length", length, "sha256", HexFormat.of().formatHex(sha256.digest())));
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  private static byte[] bytes(Random random, int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String json(Object value) {
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException error) {
      throw new IllegalStateException(error);
    }
  }

  /** A clock that stands still until it is set. */
  private static class FixedTime implements Time {
    long now = START_MS;

    @Override
    public long milliseconds() {
      return now;
    }

    @Override
    public long nanoseconds() {
      return now * 1_000_000;
    }

    @Override
    public void sleep(long ms) {
      now += ms;
    }

    @Override
    public void waitObject(Object object, Supplier<Boolean> condition, long deadlineMs) {
      throw new UnsupportedOperationException();
    }
  }

  /** Does at once what the broker leaves to another thread, and leaves out what it does from time to time. */
  private static class ImmediateScheduler implements Scheduler {
    /** Takes every call, cancel() above all. */
    private static final ScheduledFuture<?> FUTURE = (ScheduledFuture<?>) Proxy.newProxyInstance(
      GenerateGolden.class.getClassLoader(), new Class<?>[] {ScheduledFuture.class}, (proxy, method, arguments) -> true);

    @Override
    public void startup() { }

    @Override
    public void shutdown() { }

    @Override
    public ScheduledFuture<?> schedule(String name, Runnable task, long delayMs, long periodMs) {
      if (periodMs < 0) task.run();
      return FUTURE;
    }

    @Override
    public void resizeThreadPool(int threads) { }
  }
}
