import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

/**
 * Kafka's own clients, each command doing one thing with them and printing what comes of it.
 *
 * <pre>java -cp CLASS_PATH JavaClients.java BOOTSTRAP (records|member|admin|load) ...</pre>
 */
public class JavaClients {
  static String bootstrap;

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    switch (args[1]) {
      case "records" -> records(args[2]);
      case "member" -> member(args[2], args[3], args[4], args[5]);
      case "admin" -> admin();
      case "load" -> load(args[2], Integer.parseInt(args[3]));
      default -> throw new IllegalArgumentException(args[1]);
    }
    System.out.println("done");
  }

  static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
    config.putAll(more);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest"));
    config.putAll(more);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  /** Produces 100 records with each codec, reads all of them, and looks for offsets by time. */
  static void records(String topic) throws Exception {
    long time = 1_700_000_000_000L;
    int count = 0;
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      try (var producer = producer(Map.of("compression.type", codec, "linger.ms", 20))) {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int i = 0; i < 100; i++, count++) {
          String key = i % 7 == 0 ? null : "k" + i % 20;
          var record = new ProducerRecord<>(topic, null, time + count, key, i % 11 == 0 ? null : codec + i);
          record.headers().add("at", String.valueOf(count).getBytes(StandardCharsets.UTF_8)).add("none", null);
          sent.add(producer.send(record));
        }
        for (var one : sent) one.get();
      }
    }
    List<String> read = new ArrayList<>();
    try (var consumer = consumer(Map.of("isolation.level", "read_committed"))) {
      List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(it -> new TopicPartition(topic, it.partition())).toList();
      consumer.assign(partitions);
      while (read.size() < count) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          Header at = record.headers().lastHeader("at");
          boolean hasNull = record.headers().lastHeader("none").value() == null;
          read.add(new String(at.value(), StandardCharsets.UTF_8) + " " + record.key() + " " + record.value() + " " + record.timestamp() + " " + hasNull);
        }
      }
      Map<TopicPartition, Long> asked = partitions.stream().collect(Collectors.toMap(it -> it, it -> time + 250));
      for (var found : new TreeMap<>(byPartition(consumer.offsetsForTimes(asked))).entrySet())
        System.out.println("time " + found.getKey() + " " + found.getValue().offset() + " " + found.getValue().timestamp());
      System.out.println("ends " + byPartition(consumer.beginningOffsets(partitions)) + " " + byPartition(consumer.endOffsets(partitions)));
    }
    for (String line : read) System.out.println("read " + line);
  }

  static <T> Map<Integer, T> byPartition(Map<TopicPartition, T> values) {
    Map<Integer, T> found = new TreeMap<>();
    values.forEach((key, value) -> found.put(key.partition(), value));
    return found;
  }

  /** A member of a group that tells what it is assigned and what it reads, until it is told to stop. */
  static void member(String topic, String group, String protocol, String strategy) throws Exception {
    Map<String, Object> config = new HashMap<>(Map.of("group.id", group, "enable.auto.commit", false, "group.protocol", protocol));
    if (protocol.equals("classic")) {
      config.putAll(Map.of("session.timeout.ms", 2000, "heartbeat.interval.ms", 200));
      config.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + strategy);
    }
    Scanner commands = new Scanner(System.in);
    try (var consumer = consumer(config)) {
      consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
          System.out.println("revoked " + numbers(partitions));
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
          System.out.println("assigned " + numbers(consumer.assignment()));
        }
      });
      while (System.in.available() == 0) {
        var records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty()) continue;
        for (var record : records) System.out.println("read " + record.value());
        try {
          consumer.commitSync();
        } catch (CommitFailedException e) {
          System.out.println("not committed");
        }
      }
      commands.nextLine();
    }
  }

  static String numbers(Collection<TopicPartition> partitions) {
    return partitions.stream().map(TopicPartition::partition).sorted().map(String::valueOf).collect(Collectors.joining(","));
  }

  interface Call {
    Object call() throws Exception;
  }

  /** Prints what a call gives, or the error that it ends with. */
  static void tell(String what, Call call) {
    try {
      System.out.println(what + ": " + call.call());
    } catch (Exception e) {
      Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
      System.out.println(what + ": " + cause.getClass().getSimpleName());
    }
  }

  static void admin() throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "a");
    TopicPartition first = new TopicPartition("a", 0);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap)); var producer = producer(Map.of())) {
      NewTopic topic = new NewTopic("a", 2, (short) 1).configs(Map.of("retention.ms", "5000000"));
      tell("create", () -> admin.createTopics(List.of(topic)).numPartitions("a").get());
      tell("create again", () -> admin.createTopics(List.of(topic)).all().get());
      tell("list", () -> admin.listTopics().names().get());
      tell("describe", () -> admin.describeTopics(List.of("a")).allTopicNames().get().get("a").partitions().stream().map(TopicPartitionInfo::partition).toList());
      tell("describe unknown", () -> admin.describeTopics(List.of("none")).allTopicNames().get());
      tell("partitions", () -> admin.createPartitions(Map.of("a", NewPartitions.increaseTo(3))).all().get());
      tell("fewer partitions", () -> admin.createPartitions(Map.of("a", NewPartitions.increaseTo(1))).all().get());
      AlterConfigOp set = new AlterConfigOp(new ConfigEntry("segment.ms", "70000"), AlterConfigOp.OpType.SET);
      tell("alter", () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get());
      tell("configs", () -> {
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return config.get("retention.ms").value() + " " + config.get("segment.ms").value() + " " + config.get("segment.ms").source();
      });
      for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>("a", 0, null, "v" + i)).get();
      tell("delete records", () -> admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(first).get().lowWatermark());
      tell("earliest", () -> offset(admin, first, OffsetSpec.earliest()));
      tell("latest", () -> offset(admin, first, OffsetSpec.latest()));
      tell("max timestamp", () -> offset(admin, first, OffsetSpec.maxTimestamp()) >= 4);
      tell("alter offsets", () -> admin.alterConsumerGroupOffsets("g", Map.of(first, new OffsetAndMetadata(7, "mine"))).all().get());
      tell("offsets", () -> admin.listConsumerGroupOffsets("g").partitionsToOffsetAndMetadata().get().get(first).offset());
      tell("groups", () -> admin.listGroups().all().get().stream().map(it -> it.groupId() + " " + it.groupState().get()).toList());
      tell("group", () -> admin.describeConsumerGroups(List.of("g")).all().get().get("g").groupState());
      tell("unknown group", () -> admin.describeConsumerGroups(List.of("none")).all().get());
      tell("delete offsets", () -> admin.deleteConsumerGroupOffsets("g", new TreeSet<>(Map.of("a", 0).keySet()).stream().map(it -> first).collect(Collectors.toSet())).all().get());
      tell("delete group", () -> admin.deleteConsumerGroups(List.of("g")).all().get());
      tell("nodes", () -> admin.describeCluster().nodes().get().size());
      tell("controller", () -> admin.describeCluster().controller().get().id());
      tell("log dirs", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().iterator().next().replicaInfos().get(first).size() > 0);
      tell("producers", () -> admin.describeProducers(List.of(first)).all().get().get(first).activeProducers().size());
      tell("features", () -> admin.describeFeatures().featureMetadata().get().finalizedFeatures().size());
      tell("transactions", () -> admin.listTransactions().all().get());
      tell("elect", () -> admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, java.util.Set.of(first)).all().get());
      tell("delete", () -> admin.deleteTopics(List.of("a")).all().get());
      tell("delete again", () -> admin.deleteTopics(List.of("a")).all().get());
    }
  }

  static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
    return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
  }

  /** Sends numbered records, idempotently, and tells of each hundred that are acknowledged. */
  static void load(String topic, int count) throws Exception {
    Map<String, Object> config = Map.of("delivery.timeout.ms", 100_000, "request.timeout.ms", 2_000, "retry.backoff.ms", 50, "linger.ms", 2, "batch.size", 500);
    try (var producer = producer(config)) {
      int[] acknowledged = {0};
      List<Exception> failed = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        producer.send(new ProducerRecord<>(topic, "k" + i % 16, String.valueOf(i)), (metadata, error) -> {
          if (error != null) failed.add(error);
          else if (++acknowledged[0] % 100 == 0) System.out.println("acknowledged " + acknowledged[0]);
        });
        if (i % 20 == 0) Thread.sleep(2);
      }
      producer.flush();
      if (!failed.isEmpty()) throw failed.get(0);
      System.out.println("all " + acknowledged[0]);
    }
  }
}
