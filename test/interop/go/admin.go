package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// admin carries out the steps one by one; each gives its result or the number of its error.
func admin(ctx context.Context, asked request) {
	cluster := kadm.NewClient(client(asked))
	defer cluster.Close()
	for _, step := range asked.Steps {
		var name string
		given(step, 0, &name)
		result, err := steps[name](ctx, cluster, step[1:])
		var known *kerr.Error
		switch {
		case errors.As(err, &known):
			say(map[string]any{"step": name, "error": known.Code})
		default:
			check(err)
			say(map[string]any{"step": name, "result": result})
		}
	}
}

type arguments = []json.RawMessage

func given(step arguments, at int, to any) {
	check(json.Unmarshal(step[at], to))
}

func texts(step arguments) []string {
	all := make([]string, len(step))
	for at := range step {
		given(step, at, &all[at])
	}
	return all
}

var steps = map[string]func(context.Context, *kadm.Client, arguments) (any, error){
	"createTopics":     createTopics,
	"describeTopics":   describeTopics,
	"deleteTopics":     deleteTopics,
	"listTopics":       listTopics,
	"createPartitions": createPartitions,
	"describeConfigs":  describeConfigs,
	"alterConfigs":     alterConfigs,
	"listOffsets":      listOffsets,
	"deleteRecords":    deleteRecords,
	"alterOffsets":     alterOffsets,
	"listGroupOffsets": listGroupOffsets,
	"listGroups":       listGroups,
	"describeGroup":    describeGroup,
	"deleteGroups":     deleteGroups,
	"describeCluster":  describeCluster,
}

func createTopics(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	for at := range step {
		var topic arguments
		var name string
		var partitions int32
		var configs map[string]*string
		given(step, at, &topic)
		given(topic, 0, &name)
		given(topic, 1, &partitions)
		given(topic, 2, &configs)
		if _, err := cluster.CreateTopic(ctx, partitions, -1, configs, name); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func describeTopics(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	found, err := cluster.ListTopics(ctx, texts(step)...)
	if err != nil {
		return nil, err
	}
	told := map[string][]int32{}
	for name, topic := range found {
		if topic.Err != nil {
			return nil, topic.Err
		}
		told[name] = topic.Partitions.Numbers()
	}
	return told, nil
}

func deleteTopics(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	deleted, err := cluster.DeleteTopics(ctx, texts(step)...)
	return nil, errors.Join(err, deleted.Error())
}

func listTopics(ctx context.Context, cluster *kadm.Client, _ arguments) (any, error) {
	found, err := cluster.ListTopicsWithInternal(ctx)
	return found.Names(), err
}

func createPartitions(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	var name string
	var count int
	given(step, 0, &name)
	given(step, 1, &count)
	grown, err := cluster.UpdatePartitions(ctx, count, name)
	return nil, errors.Join(err, grown.Error())
}

func describeConfigs(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	names := texts(step)
	found, err := cluster.DescribeTopicConfigs(ctx, names[0])
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	for _, config := range found[0].Configs {
		if slices.Contains(names[1:], config.Key) {
			told[config.Key] = config.MaybeValue()
		}
	}
	return told, found[0].Err
}

func alterConfigs(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	var name string
	var configs map[string]string
	given(step, 0, &name)
	given(step, 1, &configs)
	changes := []kadm.AlterConfig{}
	for key, value := range configs {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	altered, err := cluster.AlterTopicConfigs(ctx, changes, name)
	if err != nil {
		return nil, err
	}
	return nil, altered[0].Err
}

func listOffsets(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	var name string
	var partition int32
	given(step, 0, &name)
	given(step, 1, &partition)
	found := []int64{}
	for at := 2; at < len(step); at++ {
		listed, err := listed(ctx, cluster, name, step[at])
		if err != nil {
			return nil, err
		}
		found = append(found, listed[name][partition].Offset)
	}
	return found, nil
}

func listed(ctx context.Context, cluster *kadm.Client, name string, place json.RawMessage) (kadm.ListedOffsets, error) {
	switch string(place) {
	case `"earliest"`:
		return cluster.ListStartOffsets(ctx, name)
	case `"latest"`:
		return cluster.ListEndOffsets(ctx, name)
	case `"max"`:
		return cluster.ListMaxTimestampOffsets(ctx, name)
	}
	var timestamp int64
	check(json.Unmarshal(place, &timestamp))
	return cluster.ListOffsetsAfterMilli(ctx, timestamp, name)
}

func deleteRecords(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	offsets, name, partition := place(step)
	deleted, err := cluster.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	return deleted[name][partition].LowWatermark, deleted[name][partition].Err
}

func place(step arguments) (kadm.Offsets, string, int32) {
	var name string
	var partition int32
	var offset int64
	given(step, 0, &name)
	given(step, 1, &partition)
	given(step, 2, &offset)
	offsets := kadm.Offsets{}
	offsets.AddOffset(name, partition, offset, -1)
	return offsets, name, partition
}

func alterOffsets(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	var group string
	given(step, 0, &group)
	offsets, name, partition := place(step[1:])
	altered, err := cluster.CommitOffsets(ctx, group, offsets)
	if err != nil {
		return nil, err
	}
	return [][2]int64{{int64(partition), altered[name][partition].At}}, altered.Error()
}

func listGroupOffsets(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	found, err := cluster.FetchOffsets(ctx, texts(step)[0])
	told := [][]any{}
	for _, offset := range found.Sorted() {
		told = append(told, []any{offset.Topic, offset.Partition, offset.At})
	}
	return told, errors.Join(err, found.Error())
}

func listGroups(ctx context.Context, cluster *kadm.Client, _ arguments) (any, error) {
	found, err := cluster.ListGroups(ctx)
	told := [][2]string{}
	for _, group := range found.Sorted() {
		told = append(told, [2]string{group.Group, strings.ToUpper(group.State)})
	}
	return told, err
}

func describeGroup(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	found, err := cluster.DescribeGroups(ctx, texts(step)...)
	if err != nil {
		return nil, err
	}
	group := found.Sorted()[0]
	told := map[string]any{
		"state": strings.ToUpper(group.State), "assignor": group.Protocol, "members": len(group.Members),
	}
	return told, group.Err
}

func deleteGroups(ctx context.Context, cluster *kadm.Client, step arguments) (any, error) {
	deleted, err := cluster.DeleteGroups(ctx, texts(step)...)
	return nil, errors.Join(err, deleted.Error())
}

func describeCluster(ctx context.Context, cluster *kadm.Client, _ arguments) (any, error) {
	found, err := cluster.BrokerMetadata(ctx)
	return map[string]any{"nodes": found.Brokers.NodeIDs(), "controller": found.Controller}, err
}
