"""`freshet generate`, `broker` and `inspect` as a user runs them; read by others' libraries."""
import io
import json
import signal
import struct
import subprocess

import fastavro
import pytest
from harness import BIN, PATIENCE, READER, SCHEMAS, V1, V2, Topic, read_topic

OLDER = SCHEMAS / "click-v1.avsc"
SHARES = ["--out-of-order", "0.05", "--late", "0.02", "--malformed", "0.02", "--future", "0.005",
          "--duplicate", "0.01", "--bad-time", "0.005", "--no-key", "0.005", "--tombstone", "0.005"]
SPOILT = ("undecodable", "tombstone", "unknown_schema")


def freshet(*words, status=0):
    """Runs the workbench; gives its standard output."""
    done = subprocess.run([str(word) for word in (BIN / "freshet", *words)], check=False,
                          capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stderr}"
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def generate(topic, directory, events, *words):
    summary = directory / "summary.json"
    freshet("generate", "--quiet", "--brokers", topic.bootstrap, "--topic", topic.name, "--events",
            events, "--users", 200, "--span", "3d", "--summary", summary, *SHARES, *words)
    return json.loads(summary.read_text())


def plain(path):
    """The schema with event_time as a bare long: fastavro's dates end with the year 9999."""
    schema = json.loads(path.read_text())
    schema["fields"][2]["type"] = "long"
    return schema


def parsed(path):
    return fastavro.parse_schema(plain(path))


def datum(payload, header_len, writer, reader):
    stream = io.BytesIO(payload[header_len:])
    value = fastavro.schemaless_reader(stream, writer, reader)
    assert not stream.read()
    return value


def test_same_seed_same_records():
    words = ("generate", "--output", "-", "--events", 3000, "--end", "2026-02-01T00:00:00Z",
             *SHARES)
    one = freshet(*words, "--seed", 5)
    assert one == freshet(*words, "--seed", 5) != freshet(*words, "--seed", 6)
    records = lines(one)
    assert len(records) == 3000
    times = [record["@timestamp"] for record in records]
    assert times == sorted(times) and times[-1] == 1769904000000
    types = [record.get("event_type") for record in records]
    assert 0 < types.count("purchase") < types.count("add_to_cart") < types.count("click")
    assert types.count("click") < types.count("impression")


def test_confluent_by_fastavro(kafka, directory):
    topic = Topic(kafka.bootstrap, partitions=3)
    said = generate(topic, directory, 5000, "--schema-id", f"v2={V2},v1={V1}",
                    "--unknown-schema", "0.005")
    writers, reader = {V2: parsed(READER), V1: parsed(OLDER)}, parsed(READER)
    keys, readable, bytes_ = {}, 0, 0
    messages = read_topic(topic.bootstrap, topic.name)
    for message in messages:
        payload = message.value()
        bytes_ += len(payload or b"")
        if not payload or payload[0] != 0:
            continue
        number = struct.unpack(">I", payload[1:5])[0] if len(payload) >= 5 else None
        try:
            value = datum(payload, 5, writers[number], reader)
        except Exception:       # whatever the library says to damaged bytes
            continue
        readable += 1
        if value["user_id"]:
            assert message.key().decode() == value["user_id"]
            assert keys.setdefault(message.key(), message.partition()) == message.partition()
    assert len(messages) == said["records"] == 5000 and bytes_ == said["bytes"]
    assert sum(said["fates"].values()) == 5000
    assert readable == 5000 - sum(said["fates"][fate] for fate in SPOILT)
    assert said["v1"] > 1000 and said["v2"] > 3000


def test_raw_and_single_object_by_inspect(kafka, directory):
    for framing, words in (("raw", ()), ("single_object", ("--reader", READER, "--older", OLDER))):
        topic = Topic(kafka.bootstrap, partitions=2)
        said = generate(topic, directory, 1000, "--framing", framing, *words)
        look = ("inspect", "--brokers", topic.bootstrap, "--topic", topic.name,
                "--framing", framing, "--schema", READER, "--schema", OLDER)
        records = lines(freshet(*look))
        assert len(records) == 1000
        assert sum("error" in record for record in records) == said["fates"]["undecodable"]
        empty = sum(record.get("value", 0) is None for record in records)
        assert empty == said["fates"]["tombstone"]
        assert len(lines(freshet(*look, "--count", 7))) == 7
        first = [record for record in records if record["partition"] == 1]
        assert lines(freshet(*look, "--partition", 1, "--from", 10)) == first[10:]


def test_create_and_rate(kafka):
    name = Topic(kafka.bootstrap).name + "-made"
    freshet("generate", "--quiet", "--brokers", kafka.bootstrap, "--topic", name, "--create",
            "--partitions", 5, "--events", 50, "--rate", 100)
    assert {message.partition() for message in read_topic(kafka.bootstrap, name)} <= set(range(5))
    assert len(read_topic(kafka.bootstrap, name)) == 50


def test_broker_in_memory():
    broker = subprocess.Popen([BIN / "freshet", "broker", "--topic", "clicks", "--partitions", "2"],
                              stdout=subprocess.PIPE, text=True)
    try:
        address = broker.stdout.readline().strip()
        freshet("generate", "--quiet", "--brokers", address, "--topic", "clicks", "--create",
                "--events", 300, "--framing", "raw")
        records = lines(freshet("inspect", "--brokers", address, "--topic", "clicks", "--framing",
                                "raw", "--schema", READER))
        assert len(records) == 300 and {record["partition"] for record in records} == {0, 1}
    finally:
        broker.send_signal(signal.SIGTERM)
        assert broker.wait(20 * PATIENCE) == 0


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_container_file(directory, codec):
    path = directory / "clicks.avro"
    values = [{"event_id": str(number), "user_id": "ada", "event_time": number,
               "event_type": "click", "item_id": None, "category": "é", "price": 1.5,
               "quantity": 1, "currency": "EUR", "page": {"url": "/", "referrer": None},
               "device": "phone", "country": "DE", "position": -1, "user_agent": "",
               "props": {"a": "b"}} for number in range(2000)]
    with path.open("wb") as stream:
        fastavro.writer(stream, parsed(READER), values, codec=codec)
    assert [record["value"] for record in lines(freshet("inspect", path))] == values
    path.write_bytes(path.read_bytes()[:-40])
    cut = subprocess.run([BIN / "freshet", "inspect", path], capture_output=True, text=True,
                         check=False)
    assert cut.returncode == 65 and len(cut.stdout.splitlines()) < 2000


@pytest.mark.parametrize("words, said", [
    (("--late", "2"), "0 to 1"), (("--late", "nan"), "0 to 1"), (("--gap", "soon"), "30s"),
    (("--events", "-1"), "whole number"), (("--rate", "fast"), "number from"),
    (("--framing", "xml"), "raw"), (("--schema-id", "7"), "v2=ID"), (("--forever",), "--rate"),
    (("--property", "acks"), "NAME=VALUE"), (("--property", "a=1"), "property"),
    (("--nonsense",), "nonsense"), (("word",), "word"),
    (("--output", "-", "--partitions", "5000"), "4096"), (("--output", "file"), "--output"),
    (("--output", "-", "--late", "0.6", "--malformed", "0.6"), "more than 1")])
def test_generate_wrong_usage(words, said):
    assert said in complaint("generate", *words)


@pytest.mark.parametrize("words, said", [
    ((), "--topic"), (("a.avro", "--topic", "t"), "--topic"), (("a.avro", "b.avro"), "one file"),
    (("a.avro", "--count", "few"), "--count few"), (("--topic", "t", "--from", "here"), "--from"),
    (("--topic", "t", "--partition", "-1"), "--partition -1")])
def test_inspect_wrong_usage(words, said):
    assert said in complaint("inspect", *words)


@pytest.mark.parametrize("words, said", [
    (("--partitions", "0"), "--partitions"), (("--partitions", "2x"), "--partitions"),
    (("--topic", ""), "--topic"), (("--topic", "a b"), "--topic"), (("word",), "options")])
def test_broker_wrong_usage(words, said):
    assert said in complaint("broker", *words)


def complaint(*words, status=64):
    """Runs the workbench in vain; gives its standard error."""
    done = subprocess.run([BIN / "freshet", *words], capture_output=True, text=True,
                          timeout=120 * PATIENCE, check=False)
    assert done.returncode == status and not done.stdout, done
    return done.stderr


def test_files_that_are_none(directory):
    none, text = directory / "none.avro", directory / "text.avro"
    text.write_text("no container file")
    assert "No such file" in complaint("inspect", none, status=66)
    assert "Is a directory" in complaint("inspect", directory, status=66)
    single = ("generate", "--output", "-", "--framing", "single_object", "--older", OLDER)
    assert "No such file" in complaint(*single, "--reader", none, status=66)
    assert "Is a directory" in complaint(*single, "--reader", directory, status=66)
    assert "is no Avro container file" in complaint("inspect", text, status=65)


def test_full_disk(directory):
    """What could not be written is no success, and ends at once."""
    path = directory / "clicks.avro"
    schema = fastavro.parse_schema({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "string"}]})
    with path.open("wb") as stream:
        fastavro.writer(stream, schema, [{"a": "x" * 100}] * 5000)
    for words in (("freshet", "generate", "--output", "-", "--forever", "--rate", "100000"),
                  ("freshet", "inspect", path), ("freshet", "--help"), ("freshet", "--version"),
                  ("freshet", "decode", "--writer", '"null"'), ("freshet", "broker"),
                  ("freshetd", "--dump", "config"), ("freshetd", "--dump", "metrics")):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BIN / words[0], *words[1:]], stdin=subprocess.DEVNULL,
                                  stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=30 * PATIENCE, check=False)
        assert done.returncode == 74 and "standard output" in done.stderr, (words, done)
