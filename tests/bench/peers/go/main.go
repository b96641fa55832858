// The job in plain Go: franz-go, hamba/avro into a struct of the wanted fields, a map, and
// pipelines of go-redis. Every event is written.
//
//	peer BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hamba/avro/v2"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	gapMs    = 30 * 60 * 1000
	pipeline = 500
)

type click struct {
	User   string   `avro:"user_id"`
	TimeMs int64    `avro:"event_time"`
	Item   *string  `avro:"item_id"`
	Price  *float64 `avro:"price"`
}

type visitor struct {
	startMs, lastMs, events int64
	value                   float64
	item                    string
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func (v *visitor) update(c *click) {
	if v.events == 0 || c.TimeMs-v.lastMs > gapMs {
		*v = visitor{startMs: c.TimeMs}
	}
	v.lastMs = c.TimeMs
	v.events++
	if c.Price != nil {
		v.value += *c.Price
	}
	if c.Item != nil {
		v.item = *c.Item
	}
}

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: peer BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA")
		os.Exit(64)
	}
	text, err := os.ReadFile(os.Args[6])
	must(err)
	// Without its logical type the time is read as the number that it is.
	schema, err := avro.Parse(strings.Replace(string(text),
		`"logicalType": "timestamp-millis"`, `"doc": ""`, 1))
	must(err)
	left, err := strconv.Atoi(os.Args[4])
	must(err)
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]), kgo.ConsumeTopics(os.Args[2]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(err)
	store := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[5]})
	ctx := context.Background()
	visitors := make(map[string]*visitor)
	rows := store.Pipeline()
	var c click
	for left > 0 {
		fetches := client.PollFetches(ctx)
		for _, failed := range fetches.Errors() {
			must(failed.Err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); left-- {
			c = click{}
			must(avro.Unmarshal(schema, iter.Next().Value, &c))
			v := visitors[c.User]
			if v == nil {
				v = &visitor{}
				visitors[c.User] = v
			}
			v.update(&c)
			rows.HSet(ctx, "features:"+c.User, "session_events", v.events,
				"session_value", v.value, "last_item", v.item,
				"session_start", v.startMs, "session_last", v.lastMs)
			if rows.Len() >= pipeline {
				_, err := rows.Exec(ctx)
				must(err)
			}
		}
	}
	if rows.Len() > 0 {
		_, err = rows.Exec(ctx)
		must(err)
	}
	client.Close()
	must(store.Close())
}
