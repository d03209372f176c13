import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.coordinator.group.generated.ShareGroupMetadataKey;

/**
 * Writes what Apache Kafka's own classes make of consumer groups: the bytes that consumers exchange ("protocol.json"), the
 * records of __consumer_offsets ("records.json"), and how its four assignors divide partitions in made-up groups, over several
 * generations each ("assignments.json"). Every run writes the same bytes.
 *
 * <pre>java -cp CLASS_PATH GenerateGroups.java OUTPUT_DIRECTORY</pre>
 */
public class GenerateGroups {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HexFormat HEX = HexFormat.of();
  private static final long START_MS = 1_700_000_000_000L;
  private static final int SCENARIOS = 300;
  private static final int ROUNDS = 6;
  private static final int UNBALANCED = 200;
  /** Seeds of unbalanced groups in which a partition goes back, some of them although that alone makes nothing more even. */
  private static final int[] GOING_BACK = {219, 255, 293, 383, 385, 497, 797, 837, 873, 889, 907, 946, 965, 1022, 1026, 1039,
    1067, 1125, 1143, 1144, 1150, 1296, 1421, 1632, 1662, 1673, 1684, 1693, 1700, 1724, 2103, 3609, 4527, 5000, 5355, 5422, 6494, 8679,
    9167, 10492, 11067, 11263, 11273, 12191, 12855, 12973, 14202, 15680, 17245, 19040};

  /**
   * Names for which the hash maps of Java give members in order and partitions of one topic from the last to the first, as
   * long as there are no more of them than here. The sticky assignors go through such maps, and so have one result for us to
   * compare with.
   */
  private static final String MEMBERS = "abcdefghijkl";
  private static final String TOPICS = "KLMNk";
  private static final int PARTITIONS_MAX = 12;

  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[0]);
    Files.createDirectories(directory);
    write(directory.resolve("protocol.json"), protocol());
    write(directory.resolve("records.json"), records());
    List<Object> scenarios = new ArrayList<>();
    for (int seed = 0; seed < SCENARIOS; seed++) scenarios.add(new Scenario(seed).play());
    List<Object> unbalanced = new ArrayList<>();
    for (int seed = 0; seed < UNBALANCED; seed++) unbalanced.add(new Scenario(seed).unbalance().rebalance(1));
    for (int seed : GOING_BACK) unbalanced.add(new Scenario(seed).unbalance().rebalance(1));
    write(directory.resolve("assignments.json"), Map.of("scenarios", scenarios, "unbalanced", unbalanced));
  }

  /** One entry a line, so that a change shows in a diff. */
  private static void write(Path file, Map<String, List<Object>> lists) throws IOException {
    List<String> parts = new ArrayList<>();
    for (Map.Entry<String, List<Object>> list : new TreeMap<>(lists).entrySet()) {
      List<String> lines = new ArrayList<>();
      for (Object entry : list.getValue()) lines.add(JSON.writeValueAsString(entry));
      parts.add("\"" + list.getKey() + "\":[\n" + String.join(",\n", lines) + "\n]");
    }
    Files.writeString(file, "{" + String.join(",\n", parts) + "}\n");
  }

  private static Map<String, List<Object>> protocol() {
    List<Object> subscriptions = new ArrayList<>();
    List<Object> assignments = new ArrayList<>();
    List<Object> userData = new ArrayList<>();
    List<List<String>> topics = List.of(List.of(), List.of("orders"), List.of("b", "a", "naïve-名", "🔑"));
    List<List<TopicPartition>> owned = List.of(
      List.of(), List.of(new TopicPartition("orders", 3)),
      List.of(new TopicPartition("b", 2), new TopicPartition("a", 1), new TopicPartition("b", 0), new TopicPartition("🔑", 7)));
    for (int shape = 0; shape < 3; shape++) {
      byte[] data = shape == 0 ? null : shape == 1 ? new byte[0] : new byte[] {1, 2, -3};
      Optional<String> rack = shape == 0 ? Optional.empty() : Optional.of("rack-" + shape);
      int generation = shape == 0 ? -1 : 7 * shape;
      for (short version = 0; version <= 3; version++) {
        Subscription subscription = new Subscription(topics.get(shape), buffer(data), owned.get(shape), generation, rack);
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("version", version);
        entry.put("topics", topics.get(shape));
        entry.put("ownedPartitions", partitions(owned.get(shape)));
        entry.put("generation", generation);
        entry.put("rackId", rack.orElse(null));
        entry.put("userData", hex(data));
        entry.put("bytes", hex(ConsumerProtocol.serializeSubscription(subscription, version)));
        subscriptions.add(entry);

        Map<String, Object> assigned = new LinkedHashMap<>();
        assigned.put("version", version);
        assigned.put("partitions", partitions(owned.get(shape)));
        assigned.put("userData", hex(data));
        assigned.put("bytes", hex(ConsumerProtocol.serializeAssignment(new Assignment(owned.get(shape), buffer(data)), version)));
        assignments.add(assigned);
      }
      StickyAssignor sticky = new StickyAssignor();
      CooperativeStickyAssignor cooperative = new CooperativeStickyAssignor();
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("partitions", partitions(owned.get(shape)));
      entry.put("generation", generation);
      if (generation >= 0) {
        ConsumerGroupMetadata metadata = new ConsumerGroupMetadata("g", generation, "m", Optional.empty());
        sticky.onAssignment(new Assignment(owned.get(shape)), metadata);
        cooperative.onAssignment(new Assignment(owned.get(shape)), metadata);
      }
      entry.put("sticky", hex(sticky.subscriptionUserData(Collections.emptySet())));
      entry.put("cooperative-sticky", hex(cooperative.subscriptionUserData(Collections.emptySet())));
      entry.put("range", hex(new RangeAssignor().subscriptionUserData(Collections.emptySet())));
      entry.put("roundrobin", hex(new RoundRobinAssignor().subscriptionUserData(Collections.emptySet())));
      userData.add(entry);
    }
    return Map.of("subscriptions", subscriptions, "assignments", assignments, "userData", userData);
  }

  private static Map<String, List<Object>> records() {
    List<Object> offsets = new ArrayList<>();
    List<Object> groups = new ArrayList<>();
    List<Object> others = new ArrayList<>();
    List<Object> partitions = new ArrayList<>();
    GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
    long[] positions = {0, 42, (1L << 53) - 1};
    for (int i = 0; i < positions.length; i++) {
      OffsetCommitValue value = new OffsetCommitValue().setOffset(positions[i]).setLeaderEpoch(i - 1)
        .setMetadata(i == 0 ? "" : "mètadata-" + i).setCommitTimestamp(START_MS + i).setExpireTimestamp(START_MS + 1000 * i);
      for (short version = 0; version <= 4; version++) {
        if (version == 4 && i == 2) value.setTopicId(new Uuid(1, 2));
        Map<String, Object> entry = offsetFields(value, version);
        entry.put("key", hex(key(version == 0
          ? new LegacyOffsetCommitKey().setGroup("group-" + i).setTopic("orders").setPartition(i)
          : new OffsetCommitKey().setGroup("group-" + i).setTopic("orders").setPartition(i))));
        entry.put("keyVersion", version == 0 ? 0 : 1);
        entry.put("groupId", "group-" + i);
        entry.put("topic", "orders");
        entry.put("partition", i);
        entry.put("value", hex(MessageUtil.toVersionPrefixedBytes(version, value)));
        offsets.add(entry);
      }
      // what the coordinator itself writes
      for (boolean expires : new boolean[] {false, true}) {
        OffsetAndMetadata committed = new OffsetAndMetadata(value.offset(), i == 0 ? OptionalInt.empty() : OptionalInt.of(i - 1),
          value.metadata(), value.commitTimestamp(),
          expires ? OptionalLong.of(value.expireTimestamp()) : OptionalLong.empty(), Uuid.ZERO_UUID);
        CoordinatorRecord record = GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group-" + i, "orders", i, committed);
        Map<String, Object> entry = offsetFields(value, record.value().version());
        entry.put("key", hex(serde.serializeKey(record)));
        entry.put("keyVersion", 1);
        entry.put("groupId", "group-" + i);
        entry.put("topic", "orders");
        entry.put("partition", i);
        entry.put("value", hex(serde.serializeValue(record)));
        entry.put("byCoordinator", true);
        offsets.add(entry);
      }
    }
    for (int memberCount = 0; memberCount <= 2; memberCount++) {
      List<GroupMetadataValue.MemberMetadata> members = new ArrayList<>();
      for (int i = 0; i < memberCount; i++) {
        members.add(new GroupMetadataValue.MemberMetadata().setMemberId("consumer-" + i + "-é")
          .setGroupInstanceId(i == 0 ? null : "instance-" + i).setClientId("consumer").setClientHost("/127.0.0.1")
          .setRebalanceTimeout(300_000 + i).setSessionTimeout(45_000 + i)
          .setSubscription(new byte[] {0, 3, (byte) i}).setAssignment(i == 0 ? new byte[0] : new byte[200]));
      }
      boolean empty = memberCount == 0;
      GroupMetadataValue value = new GroupMetadataValue().setProtocolType(empty ? "" : "consumer").setGeneration(memberCount * 3)
        .setProtocol(empty ? null : "range").setLeader(empty ? null : "consumer-0-é").setCurrentStateTimestamp(START_MS)
        .setMembers(members);
      for (short version = 0; version <= 4; version++) {
        Map<String, Object> entry = groupFields(value, version);
        entry.put("key", hex(key(new GroupMetadataKey().setGroup("group-" + memberCount))));
        entry.put("groupId", "group-" + memberCount);
        entry.put("value", hex(MessageUtil.toVersionPrefixedBytes(version, value)));
        groups.add(entry);
      }
    }
    List<ApiMessage> otherKeys =
      List.of(new ConsumerGroupMetadataKey().setGroupId("g"), new ShareGroupMetadataKey().setGroupId("g"));
    for (ApiMessage message : otherKeys) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("version", message.apiKey());
      entry.put("key", hex(key(message)));
      others.add(entry);
    }
    Random random = new Random(7);
    List<String> groupIds = new ArrayList<>(List.of("", "a", "my-group", "polygenelubricants", "счета-🔑"));
    for (int i = 0; i < 45; i++) groupIds.add("group-" + Long.toString(random.nextLong() >>> random.nextInt(60), 36));
    for (String groupId : groupIds) partitions.add(List.of(groupId, Utils.abs(groupId.hashCode()) % 50));
    return Map.of("offsets", offsets, "groups", groups, "others", others, "partitions", partitions);
  }

  private static Map<String, Object> offsetFields(OffsetCommitValue value, int version) {
    Map<String, Object> committed = new LinkedHashMap<>();
    committed.put("offset", value.offset());
    committed.put("leaderEpoch", version >= 3 ? value.leaderEpoch() : -1);
    committed.put("metadata", value.metadata());
    committed.put("commitTimestampMs", value.commitTimestamp());
    committed.put("expireTimestampMs", version == 1 ? value.expireTimestamp() : -1);
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("version", version);
    entry.put("committed", committed);
    return entry;
  }

  private static Map<String, Object> groupFields(GroupMetadataValue value, int version) {
    Map<String, Object> snapshot = new LinkedHashMap<>();
    snapshot.put("generation", value.generation());
    snapshot.put("protocolType", value.protocolType());
    snapshot.put("protocol", value.protocol());
    snapshot.put("leader", value.leader());
    List<Object> members = new ArrayList<>();
    for (GroupMetadataValue.MemberMetadata member : value.members()) {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("memberId", member.memberId());
      fields.put("instanceId", version >= 3 ? member.groupInstanceId() : null);
      fields.put("clientId", member.clientId());
      fields.put("clientHost", member.clientHost());
      fields.put("sessionTimeoutMs", member.sessionTimeout());
      // which ClassicGroup takes where there is none
      fields.put("rebalanceTimeoutMs", version >= 1 ? member.rebalanceTimeout() : member.sessionTimeout());
      fields.put("subscription", hex(member.subscription()));
      fields.put("assignment", hex(member.assignment()));
      members.add(fields);
    }
    snapshot.put("members", members);
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("version", version);
    entry.put("snapshot", snapshot);
    entry.put("currentStateTimestampMs", version >= 2 ? value.currentStateTimestamp() : -1);
    return entry;
  }

  private static byte[] key(ApiMessage message) {
    return MessageUtil.toCoordinatorTypePrefixedBytes(message);
  }

  private static ByteBuffer buffer(byte[] bytes) {
    return bytes == null ? null : ByteBuffer.wrap(bytes);
  }

  private static String hex(byte[] bytes) {
    return bytes == null ? null : HEX.formatHex(bytes);
  }

  private static String hex(ByteBuffer buffer) {
    return buffer == null ? null : HEX.formatHex(Utils.toArray(buffer.duplicate()));
  }

  private static List<Object> partitions(List<TopicPartition> partitions) {
    return partitions.stream().map(p -> (Object) List.of(p.topic(), p.partition())).collect(Collectors.toList());
  }

  /** One member, from round to round. */
  private static class Member {
    final String id;
    String instanceId;
    List<String> topics;
    int generation = -1;
    final StickyAssignor sticky = new StickyAssignor();
    final CooperativeStickyAssignor cooperative = new CooperativeStickyAssignor();
    List<TopicPartition> cooperativelyOwned = List.of();

    Member(String id) {
      this.id = id;
    }

    void remember(List<TopicPartition> bySticky, List<TopicPartition> byCooperative, int generation) {
      ConsumerGroupMetadata metadata = new ConsumerGroupMetadata("g", generation, id, Optional.empty());
      sticky.onAssignment(new Assignment(bySticky), metadata);
      cooperative.onAssignment(new Assignment(byCooperative), metadata);
      cooperativelyOwned = byCooperative;
      this.generation = generation;
    }
  }

  /** A group over several rebalances, the result of each going into the next. */
  private static class Scenario {
    private final Random random;
    private final boolean sameTopics;
    private final Map<String, Integer> topics = new TreeMap<>();
    /** Who is in the group, and who was once. */
    private final TreeMap<String, Member> members = new TreeMap<>();
    private final TreeMap<String, Member> gone = new TreeMap<>();
    /** Of each partition before the first round, if not nobody; as in the results. */
    private Map<String, String> owners;

    Scenario(int seed) {
      random = new Random(seed);
      sameTopics = seed % 2 == 0;
      int topicCount = 1 + random.nextInt(TOPICS.length());
      for (int i = 0; i < topicCount; i++) topics.put(TOPICS.substring(i, i + 1), random.nextInt(PARTITIONS_MAX + 1));
      int memberCount = 1 + random.nextInt(MEMBERS.length());
      while (members.size() < memberCount) join();
    }

    List<Object> play() {
      List<Object> rounds = new ArrayList<>();
      for (int generation = 1; generation <= ROUNDS; generation++) {
        if (generation > 1) change();
        rounds.add(rebalance(generation));
      }
      return rounds;
    }

    /** Lets members own what an assignor would not have given them, and after that change their minds. */
    Scenario unbalance() {
      for (Member member : members.values()) member.topics = someTopics();
      Map<String, List<TopicPartition>> owned = new TreeMap<>();
      owners = new TreeMap<>();
      for (Map.Entry<String, Integer> topic : topics.entrySet()) {
        List<Member> subscribers = members.values().stream().filter(m -> m.topics.contains(topic.getKey())).toList();
        StringBuilder letters = new StringBuilder();
        for (int partition = 0; partition < topic.getValue(); partition++) {
          boolean isOwned = !subscribers.isEmpty() && random.nextInt(10) > 0;
          String owner = isOwned ? subscribers.get(random.nextInt(subscribers.size())).id : "-";
          letters.append(owner);
          owned.computeIfAbsent(owner, id -> new ArrayList<>()).add(new TopicPartition(topic.getKey(), partition));
        }
        owners.put(topic.getKey(), letters.toString());
      }
      for (Member member : members.values()) {
        member.remember(owned.getOrDefault(member.id, List.of()), owned.getOrDefault(member.id, List.of()), 0);
        if (sameTopics && random.nextInt(3) == 0) member.topics = someTopics();
      }
      return this;
    }

    /** One time in three nothing but a rebalance happens. */
    private void change() {
      int what = random.nextInt(9);
      if (what < 3 && members.size() > 1) leave();
      if (what > 0 && what < 4 && members.size() < MEMBERS.length()) join();
      if (what == 4) for (int i = random.nextInt(4); i > 0 && members.size() < MEMBERS.length(); i--) join();
      if (what == 5) {
        String topic = TOPICS.substring(0, 1);
        topics.compute(topic, (name, count) -> Math.min(PARTITIONS_MAX, count + random.nextInt(4)));
        if (!sameTopics) pick(members).topics = someTopics();
      }
    }

    private void join() {
      // one that was there before may come back with what it remembers
      if (!gone.isEmpty() && random.nextInt(4) > 0) {
        Member member = pick(gone);
        gone.remove(member.id);
        members.put(member.id, member);
        return;
      }
      String id;
      do {
        int at = random.nextInt(MEMBERS.length());
        id = MEMBERS.substring(at, at + 1);
      } while (members.containsKey(id));
      gone.remove(id);
      Member member = new Member(id);
      member.instanceId = random.nextInt(4) == 0 ? "i" + (char) ('z' - id.charAt(0) + 'a') : null;
      member.topics = sameTopics ? new ArrayList<>(topics.keySet()) : someTopics();
      members.put(id, member);
    }

    private void leave() {
      Member member = pick(members);
      members.remove(member.id);
      gone.put(member.id, member);
    }

    private List<String> someTopics() {
      List<String> some = new ArrayList<>(topics.keySet());
      Collections.shuffle(some, random);
      return new ArrayList<>(some.subList(0, 1 + random.nextInt(some.size())));
    }

    private Member pick(TreeMap<String, Member> from) {
      return new ArrayList<>(from.values()).get(random.nextInt(from.size()));
    }

    private Object rebalance(int generation) {
      Map<String, Integer> subscribed = new TreeMap<>(topics);
      subscribed.values().removeIf(count -> count == 0);
      subscribed.keySet().removeIf(topic -> members.values().stream().noneMatch(member -> member.topics.contains(topic)));
      Map<String, Object> round = new LinkedHashMap<>();
      round.put("topics", new TreeMap<>(topics));
      Map<String, Object> described = new LinkedHashMap<>();
      Map<String, Subscription> plain = new TreeMap<>();
      Map<String, Subscription> sticky = new TreeMap<>();
      Map<String, Subscription> cooperative = new TreeMap<>();
      for (Member member : members.values()) {
        // id: instance id, topics, and the generation of which it remembers what it owned
        List<Object> fields = new ArrayList<>();
        fields.add(member.instanceId);
        fields.add(String.join("", member.topics));
        fields.add(member.generation);
        described.put(member.id, fields);
        plain.put(member.id, subscription(member, null, List.of()));
        sticky.put(member.id, subscription(member, member.sticky.subscriptionUserData(new HashSet<>(member.topics)), List.of()));
        cooperative.put(member.id, subscription(member,
          member.cooperative.subscriptionUserData(new HashSet<>(member.topics)), member.cooperativelyOwned));
      }
      round.put("members", described);
      if (owners != null) round.put("owners", owners);
      round.put("range", spell(new RangeAssignor(), subscribed, plain, null));
      round.put("roundrobin", spell(new RoundRobinAssignor(), subscribed, plain, null));
      Map<String, List<TopicPartition>> stickyResult = new TreeMap<>();
      Map<String, List<TopicPartition>> cooperativeResult = new TreeMap<>();
      round.put("sticky", spell(new StickyAssignor(), subscribed, sticky, stickyResult));
      round.put("cooperative-sticky", spell(new CooperativeStickyAssignor(), subscribed, cooperative, cooperativeResult));
      for (Member member : members.values()) {
        member.remember(stickyResult.get(member.id), cooperativeResult.get(member.id), generation);
      }
      return round;
    }

    private static Subscription subscription(Member member, ByteBuffer userData, List<TopicPartition> owned) {
      Subscription subscription = new Subscription(member.topics, userData, owned, member.generation, Optional.empty());
      subscription.setGroupInstanceId(Optional.ofNullable(member.instanceId));
      return subscription;
    }

    /** By topic, the members of its partitions one after another; - for none. */
    private static Map<String, String> spell(AbstractPartitionAssignor assignor, Map<String, Integer> topics,
        Map<String, Subscription> subscriptions, Map<String, List<TopicPartition>> result) {
      Map<String, List<TopicPartition>> assignment = assignor.assign(topics, subscriptions);
      Map<String, StringBuilder> spelled = new TreeMap<>();
      topics.forEach((topic, count) -> spelled.put(topic, new StringBuilder("-".repeat(count))));
      assignment.forEach((member, partitions) -> {
        for (TopicPartition p : partitions) {
          if (spelled.get(p.topic()).charAt(p.partition()) != '-') throw new IllegalStateException(p + " is given twice");
          spelled.get(p.topic()).setCharAt(p.partition(), member.charAt(0));
        }
      });
      if (result != null) result.putAll(assignment);
      Map<String, String> texts = new LinkedHashMap<>();
      spelled.forEach((topic, text) -> texts.put(topic, text.toString()));
      return texts;
    }
  }
}
