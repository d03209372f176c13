// Drives franz-go. Takes what to do as JSON in its first argument, and prints JSON, one object a line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type config struct {
	Group       string `json:"group.id"`
	Balancer    string `json:"balancer"`
	ServerSide  bool   `json:"serverSide"`
	Compression string `json:"compression"`
	SessionMs   int    `json:"session.timeout.ms"`
	HeartbeatMs int    `json:"heartbeat.interval.ms"`
}

type request struct {
	Do         string              `json:"do"`
	Servers    string              `json:"servers"`
	Topic      string              `json:"topic"`
	Records    []record            `json:"records"`
	Count      int                 `json:"count"`
	Partitions int32               `json:"partitions"`
	Config     config              `json:"config"`
	Steps      [][]json.RawMessage `json:"steps"`
}

type record struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Key       *string      `json:"key"`
	Value     *string      `json:"value"`
	Headers   [][2]*string `json:"headers"`
	Timestamp int64        `json:"timestamp"`
}

func main() {
	var asked request
	check(json.Unmarshal([]byte(os.Args[1]), &asked))
	commands := map[string]func(context.Context, request){
		"produce": produce, "consume": consume, "member": member, "numbers": numbers, "admin": admin,
	}
	commands[asked.Do](context.Background(), asked)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func say(what any) {
	line, err := json.Marshal(what)
	check(err)
	fmt.Println(string(line))
}

// inputEnd is told when there is nothing more on standard input.
func inputEnd() *atomic.Bool {
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended.Store(true)
	}()
	return &ended
}

func client(asked request, more ...kgo.Opt) *kgo.Client {
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(asked.Servers, ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[asked.Config.Compression]),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.RetryTimeout(time.Minute),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}
	made, err := kgo.NewClient(append(options, more...)...)
	check(err)
	return made
}

func consumer(asked request) *kgo.Client {
	balancers := map[string]kgo.GroupBalancer{
		"": kgo.CooperativeStickyBalancer(), "range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(asked.Config.Group),
		kgo.ConsumeTopics(asked.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(balancers[asked.Config.Balancer]),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	}
	if asked.Config.SessionMs > 0 {
		options = append(options,
			kgo.SessionTimeout(time.Duration(asked.Config.SessionMs)*time.Millisecond),
			kgo.HeartbeatInterval(time.Duration(asked.Config.HeartbeatMs)*time.Millisecond))
	}
	if asked.Config.ServerSide {
		options = append(options, kgo.ServerSideBalancer())
	}
	return client(asked, options...)
}

func bytes(text *string) []byte {
	if text == nil {
		return nil
	}
	return append([]byte{}, *text...)
}

func text(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	told := string(bytes)
	return &told
}

func produce(ctx context.Context, asked request) {
	producer := client(asked)
	records := make([]*kgo.Record, 0, len(asked.Records))
	for _, given := range asked.Records {
		made := &kgo.Record{
			Topic: asked.Topic, Partition: given.Partition, Key: bytes(given.Key), Value: bytes(given.Value),
			Timestamp: time.UnixMilli(given.Timestamp),
		}
		for _, header := range given.Headers {
			made.Headers = append(made.Headers, kgo.RecordHeader{Key: *header[0], Value: bytes(header[1])})
		}
		records = append(records, made)
	}
	check(producer.ProduceSync(ctx, records...).FirstErr())
	producer.Close()
	say(map[string]int{"left": 0})
}

func consume(ctx context.Context, asked request) {
	group := consumer(asked)
	records := []record{}
	for len(records) < asked.Count {
		fetches := group.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(given *kgo.Record) {
			headers := [][2]*string{}
			for _, header := range given.Headers {
				headers = append(headers, [2]*string{&header.Key, text(header.Value)})
			}
			records = append(records, record{
				given.Partition, given.Offset, text(given.Key), text(given.Value), headers, given.Timestamp.UnixMilli(),
			})
		})
		group.AllowRebalance()
	}
	check(group.CommitUncommittedOffsets(ctx))
	group.Close()
	say(map[string]any{"records": records})
}

// member consumes numbers until it is killed or its input ends; says what it has taken, and again once that is committed.
func member(ctx context.Context, asked request) {
	group := consumer(asked)
	ended := inputEnd()
	for !ended.Load() {
		waiting, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		fetches := group.PollRecords(waiting, 100)
		stop()
		taken := []int{}
		fetches.EachRecord(func(given *kgo.Record) {
			number, err := strconv.Atoi(string(given.Value))
			check(err)
			taken = append(taken, number)
		})
		if len(taken) > 0 {
			say(map[string]any{"taken": taken})
			committing, stop := context.WithTimeout(ctx, 5*time.Second)
			// a group on the move refuses it: what is not committed comes again
			if err := group.CommitRecords(committing, fetches.Records()...); err != nil {
				say(map[string]any{"refused": err.Error()})
			} else {
				say(map[string]any{"committed": taken})
			}
			stop()
		}
		group.AllowRebalance()
	}
	group.CloseAllowingRebalance()
	say(map[string]bool{"left": true})
}

// numbers produces 0, 1, 2, ... until its input ends; says each hundredth that was acknowledged, and how many at the end.
func numbers(ctx context.Context, asked request) {
	producer := client(asked, kgo.MaxBufferedRecords(500), kgo.ProducerLinger(time.Millisecond), kgo.AllowAutoTopicCreation())
	ended := inputEnd()
	acknowledged, failed := 0, []string{}
	// promises are called one at a time
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed = append(failed, err.Error())
			return
		}
		acknowledged++
		if acknowledged%100 == 0 {
			say(map[string]int{"acknowledged": acknowledged})
		}
	}
	sent := 0
	for ; !ended.Load(); sent++ {
		made := &kgo.Record{Topic: asked.Topic, Partition: int32(sent) % asked.Partitions, Value: []byte(strconv.Itoa(sent))}
		producer.Produce(ctx, made, promise)
	}
	check(producer.Flush(ctx))
	producer.Close()
	say(map[string]any{"sent": sent, "acknowledged": acknowledged, "failed": failed})
}
