import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Opens partition directories as Kafka's broker does and closes them in order, after appending one record of each
 * compression where it is asked to. Prints for each directory where its log begins and ends, and the offsets that it finds
 * for points in time.
 *
 * <pre>java -cp CLASS_PATH TakeOver.java (recover|append) INDEX_INTERVAL_BYTES TIMESTAMP DIRECTORY...</pre>
 *
 * "recover": as after a crash; Kafka then reads every byte of log, cuts what is not valid and makes all indexes anew.
 * "append": as after an orderly stop; Kafka then trusts what it finds.
 */
public class TakeOver {
  public static void main(String[] args) throws Exception {
    boolean append = args[0].equals("append");
    LogConfig config = new LogConfig(Map.of("index.interval.bytes", args[1], "message.timestamp.after.max.ms", Long.MAX_VALUE));
    long timestamp = Long.parseLong(args[2]);
    for (int i = 3; i < args.length; i++) {
      UnifiedLog log = UnifiedLog.create(new File(args[i]), config, 0, 0, new KafkaScheduler(1), new BrokerTopicStats(), Time.SYSTEM,
        Integer.MAX_VALUE, new ProducerStateManagerConfig(Integer.MAX_VALUE, false), Integer.MAX_VALUE,
        new LogDirFailureChannel(1), append, Optional.empty());
      long found = log.fetchOffsetByTimestamp(timestamp, Optional.empty()).timestampAndOffsetOpt().map(pair -> pair.offset).orElse(-1L);
      System.out.println(log.logStartOffset() + " " + log.logEndOffset() + " " + countRecords(log) + " " + found);
      for (CompressionType type : append ? CompressionType.values() : new CompressionType[0]) {
        byte[] value = ("Kafka's, " + type.name).getBytes(StandardCharsets.UTF_8);
        MemoryRecords records = MemoryRecords.withRecords(Compression.of(type).build(), new SimpleRecord(timestamp, value));
        log.appendAsLeader(records, 1000);
      }
      log.close();
    }
    // the scheduler's threads are still there
    System.exit(0);
  }

  /** Reads every record in every segment. */
  private static long countRecords(UnifiedLog log) throws Exception {
    long count = 0;
    for (LogSegment segment : log.logSegments()) {
      for (RecordBatch batch : segment.log().batches()) {
        batch.ensureValid();
        for (var record : batch) {
          record.ensureValid();
          count++;
        }
      }
    }
    return count;
  }
}
