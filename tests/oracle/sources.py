"""Where records come from: a Kafka topic, or JSON lines."""
import json
import sys
import time


def progress(text):
    if sys.stderr.isatty():
        print("\r" + text.ljust(78), end="", file=sys.stderr, flush=True)


def from_json_lines(lines, reader, idle=None):
    """(partition, offset, rts, read) of each line; `@op: idle` calls idle(partition, as_of)."""
    last = {}       # partition -> offset
    for line in filter(None, (line.strip() if isinstance(line, str) else line
                              for line in lines)):
        entry = json.loads(line) if isinstance(line, (str, bytes)) else line
        partition = entry.get("@partition", 0)
        if entry.get("@op") == "idle":
            if idle is not None:
                idle(partition, entry["as_of"])
            continue
        last[partition] = entry.get("@offset", last.get(partition, -1) + 1)
        fields = {name: value for name, value in entry.items() if not name.startswith("@")}
        judged = reader.read_json(entry["@value"] if "@value" in entry else fields)
        rts = entry.get("@timestamp", judged[2])
        yield partition, last[partition], rts, lambda judged=judged: judged


def kafka_conf(settings, bootstrap=None):
    conf = dict(settings.passed)
    conf.update({"bootstrap.servers": bootstrap or settings["kafka.bootstrap.servers"],
                 "group.id": "freshet-oracle", "enable.auto.commit": False,
                 "enable.partition.eof": True, "auto.offset.reset": "earliest",
                 "isolation.level": "read_committed"})
    return conf


def partitions_of(consumer, topic):
    found = consumer.list_topics(topic, timeout=30).topics[topic]
    if found.error is not None or not found.partitions:
        raise RuntimeError(f"topic {topic}: {found.error}")
    return sorted(found.partitions)


def from_kafka(settings, reader, bootstrap=None, topic=None):
    """(partition, offset, rts, read) of all records from the beginning to the end as of now."""
    from confluent_kafka import KafkaError, OFFSET_BEGINNING, Consumer, TopicPartition
    topic = topic or settings["kafka.topic"]
    consumer = Consumer(kafka_conf(settings, bootstrap))
    try:
        ends, total = {}, 0
        for partition in partitions_of(consumer, topic):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition),
                                                       timeout=30)
            ends[partition] = high
            total += high - low
        left = {partition for partition, end in ends.items() if end > 0}
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in sorted(left)])
        count, heard = 0, time.monotonic()
        while left:
            for message in consumer.consume(2000, timeout=0.05):
                heard = time.monotonic()
                error, partition = message.error(), message.partition()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.discard(partition)
                    elif error.fatal() or not error.retriable():
                        raise RuntimeError(str(error))
                    continue
                if partition not in left:
                    continue
                if message.offset() < ends[partition]:
                    count += 1
                    yield record_of(message, reader)
                if message.offset() + 1 >= ends[partition]:
                    left.discard(partition)
            progress(f"oracle: {count} of {total} records")
            if time.monotonic() - heard > 60:
                raise RuntimeError(f"nothing from Kafka for 60 s, partitions {sorted(left)}")
    finally:
        consumer.close()
        progress("")


def record_of(message, reader):
    kind, rts = message.timestamp()
    payload, headers = message.value(), message.headers()
    return (message.partition(), message.offset(), rts if kind and rts >= 0 else None,
            lambda: reader.read(payload, headers))
