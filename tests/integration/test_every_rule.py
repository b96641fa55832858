"""Streams in every disorder through the daemon: all of Redis equals the oracle, rule by rule."""
import json
import os
import sys

import fastavro
import pytest
from harness import TREE, Topic, encode

ORACLE = TREE / "tests" / "oracle"
sys.path.insert(0, str(ORACLE))
import disorder  # noqa: E402
from settings import Settings  # noqa: E402

EVENTS = min(int(os.environ.get("FRESHET_EVENTS") or 3000), 100_000)


def writer_schema():
    """every.avsc with times as plain longs, so that ones outside the range can be written."""
    schema = json.loads((ORACLE / "every.avsc").read_text())
    schema["fields"][1]["type"] = "long"
    return fastavro.parse_schema(schema)


def produce(topic, lines):
    """The lines but for idle ones; offsets are the broker's."""
    schema = writer_schema()
    for line in lines:
        if "@op" in line:
            continue
        fields = {name: value for name, value in line.items() if name[0] != "@"}
        value = None if "@value" in line else encode(schema, fields)
        rts = line.get("@timestamp", fields.get("at", disorder.START_MS))
        topic.raw(fields.get("who") or "", value, min(max(0, rts), disorder.END_MS),
                  line["@partition"])
    topic.flush()


@pytest.mark.parametrize("features", disorder.FEATURES)
@pytest.mark.parametrize(("seed", "layout"), [*((seed, "hash") for seed in disorder.WORLDS),
                                              (1, "packed")])
def test_every_rule(kafka, make_daemon, seed, layout, features):
    values = {**disorder.values_of(seed, features), "redis.layout": layout}
    topic = Topic(kafka.bootstrap, partitions=disorder.PARTITIONS, retention_ms=-1)
    produce(topic, disorder.Stream(seed, Settings(values)).lines(EVENTS))
    daemon = make_daemon({**values, "schema.registry": ""}, topic=topic).start()
    daemon.wait_caught_up(60 + EVENTS // 1000)
    said = daemon.assert_equal("--as-of-raw")
    print(said)
    assert "equal" in said
