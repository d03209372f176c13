import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Makes a broker write files with everything in them, and prints all records of all topics as its consumer reads them, those
 * of aborted transactions too.
 *
 * <pre>java -cp CLASS_PATH JavaFiles.java BOOTSTRAP (with|without) transactions</pre>
 */
public class JavaFiles {
  static final long TIME = 1_700_000_000_000L;
  static final Random random = new Random(1);
  static String bootstrap;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    boolean withTransactions = args[1].equals("with");
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      Map<String, String> small = Map.of("segment.ms", "60000");
      Map<String, String> compacted = Map.of("segment.ms", "60000", "cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01");
      admin.createTopics(List.of(topic("codecs", small), topic("compacted", compacted), topic("transactions", small))).all().get();
    }
    int at = 0;
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      try (var producer = producer(Map.of("compression.type", codec))) {
        for (int batch = 0; batch < 40; batch++, at++) send(producer, "codecs", 10, TIME + at * 3_000L, 200);
        for (int batch = 0; batch < 40; batch++) send(producer, "compacted", 10, TIME + (at * 40L + batch) * 1_000, 12);
      }
    }
    if (withTransactions) {
      try (var producer = producer(Map.of("transactional.id", "tx"))) {
        producer.initTransactions();
        for (int i = 0; i < 6; i++) {
          producer.beginTransaction();
          send(producer, "transactions", 20, TIME + i * 30_000, 200);
          if (i % 3 == 1) producer.abortTransaction();
          else producer.commitTransaction();
        }
      }
    } else {
      try (var producer = producer(Map.of())) {
        for (int i = 0; i < 6; i++) send(producer, "transactions", 20, TIME + i * 30_000, 200);
      }
    }
    for (String topic : List.of("codecs", "compacted", "transactions")) print(topic);
    System.out.println("done");
  }

  static NewTopic topic(String name, Map<String, String> configs) {
    return new NewTopic(name, 1, (short) 1).configs(configs);
  }

  static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 1000));
    config.putAll(more);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  /** One batch. */
  static void send(KafkaProducer<String, String> producer, String topic, int count, long time, int size) {
    for (int i = 0; i < count; i++) {
      byte[] value = new byte[size];
      random.nextBytes(value);
      String key = topic.equals("codecs") && i % 5 == 0 ? null : "k" + random.nextInt(30);
      String text = i % 9 == 8 ? null : Base64.getEncoder().encodeToString(value);
      var record = new ProducerRecord<>(topic, 0, time + i, key, text);
      if (i % 2 == 0) record.headers().add("h", String.valueOf(i).getBytes(StandardCharsets.UTF_8)).add("none", null);
      producer.send(record);
    }
    producer.flush();
  }

  static void print(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest", "isolation.level", "read_uncommitted");
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.assign(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      while (consumer.position(partition) < end) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          String headers = StreamSupport.stream(record.headers().spliterator(), false)
            .map(it -> it.key() + "=" + (it.value() == null ? null : new String(it.value(), StandardCharsets.UTF_8))).collect(Collectors.joining(","));
          System.out.println(topic + " " + record.offset() + " " + record.timestamp() + " " + record.key() + " " + record.value() + " " + headers);
        }
      }
      System.out.println("end of " + topic + " " + end);
    }
  }
}
