"""Drives confluent-kafka (librdkafka). Takes what to do as JSON in its first argument, and prints JSON, one object a line."""
import hashlib
import json
import sys
import threading
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic
from confluent_kafka.admin import OffsetSpec, ResourceType

SILENT = {'log_level': 0}


def say(**what):
    print(json.dumps(what), flush=True)


def raw(text):
    return None if text is None else text.encode()


def text(value):
    return None if value is None else value.decode()


def told(message):
    return {
        'partition': message.partition(),
        'offset': message.offset(),
        'timestamp': message.timestamp()[1],
        'key': text(message.key()),
        'value': text(message.value()),
        'headers': [[name, text(value)] for name, value in message.headers() or []],
    }


def raise_error(error, _message):
    if error is not None:
        raise KafkaException(error)


def produce(servers, topic, records, config):
    producer = Producer({'bootstrap.servers': servers, **SILENT, **config})
    for record in records:
        producer.produce(
            topic,
            partition=record['partition'],
            key=raw(record['key']),
            value=raw(record['value']),
            headers=[(name, raw(value)) for name, value in record['headers']],
            timestamp=record['timestamp'],
            on_delivery=raise_error,
        )
    say(left=producer.flush(30))


def consume(servers, topic, count, config):
    consumer = consumer_of(servers, config)
    consumer.subscribe([topic])
    records = []
    while len(records) < count:
        message = poll(consumer)
        if message is not None:
            records.append(told(message))
    consumer.commit(asynchronous=False)
    say(records=records)
    consumer.close()


def consumer_of(servers, config):
    settings = {'bootstrap.servers': servers, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False}
    return Consumer({**settings, 'fetch.wait.max.ms': 100, **SILENT, **config})


def poll(consumer, seconds=0.2):
    message = consumer.poll(seconds)
    if message is not None and message.error() is not None:
        raise KafkaException(message.error())
    return message


def member(servers, topic, config):
    """Consumes numbers until it is killed or its input ends; says what it has taken, and again once that is committed."""
    consumer = consumer_of(servers, config)
    ended = input_end()
    consumer.subscribe([topic])
    while not ended():
        messages = [message for message in consumer.consume(100, 0.1) if message.error() is None]
        if not messages:
            continue
        taken = [int(message.value()) for message in messages]
        say(taken=taken)
        try:
            consumer.commit(asynchronous=False)
            say(committed=taken)
        except KafkaException as error:
            # the group is on the move: what is not committed comes again
            say(refused=error.args[0].name())
    consumer.close()
    say(left=True)


def numbers(servers, topic, partitions, config):
    """Produces 0, 1, 2, ... until its input ends; says each hundredth that was acknowledged, and how many at the end."""
    sent, acknowledged, failed = 0, 0, []

    def on_delivery(error, message):
        nonlocal acknowledged
        if error is not None:
            failed.append(error.name())
            return
        acknowledged += 1
        if acknowledged % 100 == 0:
            say(acknowledged=acknowledged)

    ended = input_end()
    producer = Producer({'bootstrap.servers': servers, 'retry.backoff.ms': 20, 'reconnect.backoff.ms': 20,
                         'reconnect.backoff.max.ms': 100, 'linger.ms': 1, **SILENT, **config})
    while not ended():
        while sent - acknowledged < 500:
            producer.produce(topic, str(sent), partition=sent % partitions, on_delivery=on_delivery)
            sent += 1
        producer.poll(0.01)
    producer.flush(60)
    say(sent=sent, acknowledged=acknowledged, failed=failed)


def input_end():
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    return ended.is_set


def through(servers, topic, megabytes, config):
    """So many MiB of records of 1 KiB in, and out again by a group: how many of each, and the sum of their hashes."""
    count = megabytes * 1024
    block = hashlib.sha256(b'varve').digest() * 32
    producer = Producer({'bootstrap.servers': servers, 'linger.ms': 20, 'batch.size': 1_000_000, 'enable.idempotence': True,
                         'queue.buffering.max.kbytes': 65536, **SILENT, **config})
    started = time.monotonic()
    wrote = 0
    for i in range(count):
        value = i.to_bytes(8, 'big') + block[8:]
        wrote += int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), 'big')
        while True:
            try:
                producer.produce(topic, value, partition=i % 4, on_delivery=raise_error)
                break
            except BufferError:
                producer.poll(0.05)
        if i % 1000 == 0:
            producer.poll(0)
    left = producer.flush(60)
    produced = time.monotonic()
    consumer = consumer_of(servers, {'group.id': 'through', 'fetch.max.bytes': 8_000_000, 'max.partition.fetch.bytes': 4_000_000,
                                     'queued.max.messages.kbytes': 65536})
    consumer.subscribe([topic])
    seen, read = 0, 0
    while seen < count:
        for message in consumer.consume(10_000, 1.0):
            raise_error(message.error(), message)
            seen += 1
            read += int.from_bytes(hashlib.blake2b(message.value(), digest_size=8).digest(), 'big')
    consumer.close()
    say(left=left, count=count, seen=seen, same=wrote == read, produceSeconds=produced - started,
        consumeSeconds=time.monotonic() - produced)


def admin(servers, steps):
    """Carries out the steps one by one; each gives its result or the number of its error."""
    client = AdminClient({'bootstrap.servers': servers, **SILENT})
    for name, *arguments in steps:
        try:
            say(step=name, result=ADMIN[name](client, *arguments))
        except KafkaException as error:
            say(step=name, error=error.args[0].code())


def of(futures):
    return {key: future.result() for key, future in futures.items()}


def create_topics(client, *topics):
    of(client.create_topics([NewTopic(name, num_partitions=partitions, config=config) for name, partitions, config in topics]))


def describe_topics(client, *names):
    found = of(client.describe_topics(TopicCollection(list(names))))
    return {name: [p.id for p in topic.partitions] for name, topic in found.items()}


def describe_configs(client, topic, *names):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = of(client.describe_configs([resource]))[resource]
    return {name: entries[name].value for name in names}


def alter_configs(client, topic, configs):
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configs.items()]
    of(client.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)]))


def list_offsets(client, topic, partition, *specs):
    named = {'earliest': OffsetSpec.earliest(), 'latest': OffsetSpec.latest(), 'max': OffsetSpec.max_timestamp()}
    found = []
    for spec in specs:
        at = named[spec] if isinstance(spec, str) else OffsetSpec.for_timestamp(spec)
        result = of(client.list_offsets({TopicPartition(topic, partition): at}))
        found.append(next(iter(result.values())).offset)
    return found


def delete_records(client, topic, partition, offset):
    result = of(client.delete_records([TopicPartition(topic, partition, offset)]))
    return next(iter(result.values())).low_watermark


def alter_offsets(client, group, topic, partition, offset):
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])
    [result] = of(client.alter_consumer_group_offsets([request])).values()
    return [[p.partition, p.offset] for p in result.topic_partitions]


def list_group_offsets(client, group):
    [result] = of(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])).values()
    return [[p.topic, p.partition, p.offset] for p in result.topic_partitions if p.offset >= 0]


def list_groups(client):
    return sorted([g.group_id, g.state.name] for g in client.list_consumer_groups().result().valid)


def describe_group(client, group):
    [found] = of(client.describe_consumer_groups([group])).values()
    return {'state': found.state.name, 'assignor': found.partition_assignor, 'members': len(found.members)}


def describe_cluster(client):
    found = client.describe_cluster().result()
    return {'nodes': [node.id for node in found.nodes], 'controller': found.controller.id}


ADMIN = {
    'createTopics': create_topics,
    'describeTopics': describe_topics,
    'deleteTopics': lambda client, *names: of(client.delete_topics(list(names))) and None,
    'listTopics': lambda client: sorted(client.list_topics(timeout=10).topics),
    'createPartitions': lambda client, topic, count: of(client.create_partitions([NewPartitions(topic, count)])) and None,
    'describeConfigs': describe_configs,
    'alterConfigs': alter_configs,
    'listOffsets': list_offsets,
    'deleteRecords': delete_records,
    'alterOffsets': alter_offsets,
    'listGroupOffsets': list_group_offsets,
    'listGroups': list_groups,
    'describeGroup': describe_group,
    'deleteGroups': lambda client, *groups: of(client.delete_consumer_groups(list(groups))) and None,
    'describeCluster': describe_cluster,
}

COMMANDS = {command.__name__: command for command in [produce, consume, member, numbers, through, admin]}

request = json.loads(sys.argv[1])
COMMANDS[request.pop('do')](**request)
