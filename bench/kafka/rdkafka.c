/*
 * What librdkafka produces and consumes in a second, with its own defaults:
 *
 *   rdkafka produce <bootstrap> <topic> <records> <record bytes> <acks>
 *   rdkafka consume <bootstrap> <topic> <records>
 *   rdkafka latency <bootstrap> <topic> <records> <record bytes> <acks>
 *
 * Prints the seconds from the first record to the last acknowledgement, or from the assignment to the last record. Or,
 * with each record produced when the one before was consumed, the median and the 99th percentile of the milliseconds
 * from its production to its consumption.
 * Topics have one partition. Build: cc -O2 rdkafka.c -lrdkafka
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long delivered = 0;

static void die(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  (void)opaque;
  if (message->err) die("not delivered", rd_kafka_err2str(message->err));
  delivered++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char why[256];
  if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die(name, why);
}

static rd_kafka_t *open_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *topic) {
  char why[256];
  rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == NULL) die("no client", why);
  /* connects, so that this is not measured */
  const struct rd_kafka_metadata *metadata;
  rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
  rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, 10000);
  if (error) die("no metadata", rd_kafka_err2str(error));
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return client;
}

static void send_record(rd_kafka_t *client, const char *topic, char *value, size_t size) {
  for (;;) {
    rd_kafka_resp_err_t error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                                  RD_KAFKA_V_VALUE(value, size),
                                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (!error) return;
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("not produced", rd_kafka_err2str(error));
    rd_kafka_poll(client, 10);
  }
}

static rd_kafka_t *open_producer(const char *bootstrap, const char *topic, const char *acks, const char *linger_ms) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "acks", acks);
  if (linger_ms != NULL) set(conf, "linger.ms", linger_ms);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  return open_client(RD_KAFKA_PRODUCER, conf, topic);
}

static rd_kafka_t *open_consumer(const char *bootstrap, const char *topic) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "group.id", "bench");
  rd_kafka_t *client = open_client(RD_KAFKA_CONSUMER, conf, topic);
  rd_kafka_poll_set_consumer(client);
  return client;
}

static void assign(rd_kafka_t *client, const char *topic, int64_t offset) {
  rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(partitions, topic, 0)->offset = offset;
  rd_kafka_resp_err_t error = rd_kafka_assign(client, partitions);
  if (error) die("not assigned", rd_kafka_err2str(error));
  rd_kafka_topic_partition_list_destroy(partitions);
}

static double produce(const char *bootstrap, const char *topic, long records, size_t size, const char *acks) {
  rd_kafka_t *client = open_producer(bootstrap, topic, acks, NULL);
  char *value = malloc(size);
  for (size_t i = 0; i < size; i++) value[i] = (char)(i * 7 + 1);
  double started = now();
  for (long i = 0; i < records; i++) {
    memcpy(value, &i, size < sizeof i ? size : sizeof i);
    send_record(client, topic, value, size);
    if (i % 1000 == 0) rd_kafka_poll(client, 0);
  }
  while (delivered < records) rd_kafka_poll(client, 100);
  double seconds = now() - started;
  rd_kafka_destroy(client);
  free(value);
  return seconds;
}

static double consume(const char *bootstrap, const char *topic, long records) {
  rd_kafka_t *client = open_consumer(bootstrap, topic);
  double started = now();
  assign(client, topic, RD_KAFKA_OFFSET_BEGINNING);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
  static rd_kafka_message_t *messages[10000];
  for (long seen = 0; seen < records;) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 1000, messages, 10000);
    if (count < 0) die("not consumed", rd_kafka_err2str(rd_kafka_last_error()));
    for (ssize_t i = 0; i < count; i++) {
      if (messages[i]->err) die("not consumed", rd_kafka_err2str(messages[i]->err));
      rd_kafka_message_destroy(messages[i]);
    }
    seen += count;
  }
  double seconds = now() - started;
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return seconds;
}

static int by_size(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static void latency(const char *bootstrap, const char *topic, long records, size_t size, const char *acks) {
  rd_kafka_t *producer = open_producer(bootstrap, topic, acks, "0");
  rd_kafka_t *consumer = open_consumer(bootstrap, topic);
  double *seconds = malloc(records * sizeof *seconds);
  char *value = calloc(1, size);
  /* the first records pay for connections */
  const long warm = 20;
  assign(consumer, topic, RD_KAFKA_OFFSET_BEGINNING);
  for (long i = -warm; i < records; i++) {
    double started = now();
    send_record(producer, topic, value, size);
    rd_kafka_message_t *message = NULL;
    while (message == NULL) message = rd_kafka_consumer_poll(consumer, 10000);
    if (message->err) die("not consumed", rd_kafka_err2str(message->err));
    if (i >= 0) seconds[i] = now() - started;
    rd_kafka_message_destroy(message);
    rd_kafka_poll(producer, 0);
  }
  qsort(seconds, records, sizeof *seconds, by_size);
  printf("%.3f %.3f\n", seconds[records / 2] * 1e3, seconds[records * 99 / 100] * 1e3);
  rd_kafka_flush(producer, 10000);
  rd_kafka_destroy(producer);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  free(seconds);
  free(value);
}

int main(int count, char **words) {
  if (count == 7 && strcmp(words[1], "produce") == 0)
    printf("%.6f\n", produce(words[2], words[3], atol(words[4]), (size_t)atol(words[5]), words[6]));
  else if (count == 5 && strcmp(words[1], "consume") == 0)
    printf("%.6f\n", consume(words[2], words[3], atol(words[4])));
  else if (count == 7 && strcmp(words[1], "latency") == 0)
    latency(words[2], words[3], atol(words[4]), (size_t)atol(words[5]), words[6]);
  else
    die("usage", "rdkafka produce|consume|latency <bootstrap> <topic> <records> [<record bytes> <acks>]");
  return 0;
}
