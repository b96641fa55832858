#!/usr/bin/env python3
"""Produces a real web server's log (FRESHET_REAL_LOG, a .tsv.gz) to a Kafka topic as Avro."""
import argparse
import csv
import gzip
import io
import json
import os
import sys
import urllib.request

import fastavro
from confluent_kafka import Producer

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "request.avsc")


def requests(path):
    """One object a line of the log, in the fields of request.avsc."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield {"host": line["host"], "event_time": int(line["time"]) * 1000,
                   "method": line["method"], "url": line["url"],
                   "response": int(line["response"]),
                   "bytes": int(line["bytes"]) if line["bytes"].isdigit() else None}


def schema_text():
    with open(SCHEMA, encoding="utf-8") as file:
        return file.read()


def register(registry, subject):
    """The schema's id at the registry."""
    request = urllib.request.Request(
        f"{registry.rstrip('/')}/subjects/{subject}/versions",
        json.dumps({"schema": schema_text()}).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)["id"]


def encoder(head):
    """A function of an object to head + Avro body; times are plain longs in ms already."""
    schema = json.loads(schema_text())
    schema["fields"][1]["type"] = "long"
    schema = fastavro.parse_schema(schema)

    def encode(value):
        out = io.BytesIO()
        out.write(head)
        fastavro.schemaless_writer(out, schema, value)
        return out.getvalue()
    return encode


def produce(producer, topic, path, head=b"", record_time="production"):
    """Number of records, all acknowledged; RuntimeError otherwise."""
    encode, failed, count = encoder(head), [], 0

    def delivered(error, _):
        if error is not None:
            failed.append(str(error))
    for value in requests(path):
        more = {"timestamp": value["event_time"]} if record_time == "event" else {}
        while True:
            try:
                producer.produce(topic, encode(value), value["host"].encode(),
                                 on_delivery=delivered, **more)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        producer.poll(0)
    if producer.flush(60) or failed:
        raise RuntimeError(f"not all records were taken: {failed[:3]}")
    return count


def create_topic(bootstrap, topic, partitions):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(topic, partitions, 1, config={"retention.ms": "-1"})
    for future in admin.create_topics([new]).values():
        future.result(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--registry", help="framing confluent with this registry; else raw")
    parser.add_argument("--create", type=int, metavar="PARTITIONS", help="makes the topic first")
    parser.add_argument("--record-time", choices=("production", "event"), default="production")
    args = parser.parse_args()
    path = os.environ.get("FRESHET_REAL_LOG")
    if not path:
        parser.error("FRESHET_REAL_LOG is not set")
    if args.create:
        create_topic(args.bootstrap, args.topic, args.create)
    head = b""
    if args.registry:
        head = b"\0" + register(args.registry, args.topic + "-value").to_bytes(4, "big")
    producer = Producer({"bootstrap.servers": args.bootstrap, "linger.ms": 20,
                         "enable.idempotence": True, "partitioner": "murmur2_random"})
    count = produce(producer, args.topic, path, head, args.record_time)
    print(f"{count} requests produced to {args.topic}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
