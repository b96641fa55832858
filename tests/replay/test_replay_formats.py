"""Formats in and out, read and written by another library; the same bytes whatever the threads."""
import datetime
import json

import fastavro
import pytest
from replaying import SCHEMAS, SHIPPED, freshet, lines

ALL = "event,pre_event,decay,open,close,correction,retract,fate"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    """Clicks of four partitions, a part of them disordered or late, as JSON lines."""
    path = tmp_path_factory.mktemp("clicks") / "clicks.jsonl"
    run = freshet("generate", "--output", "-", "--events", 6000, "--users", 60, "--span", "2d",
                  "--end", "2026-02-01T00:00:00Z", "--out-of-order", "0.1", "--late", "0.03")
    path.write_bytes(run.out)
    return path


def plain(clicks):
    """The events without what Kafka says of them."""
    events = []
    for line in clicks.read_text().splitlines():
        event = json.loads(line)
        events.append({name: value for name, value in event.items() if name[0] != "@"})
    return events


def written(path, events, codec="null", schema=None):
    parsed = fastavro.parse_schema(schema or json.loads((SCHEMAS / "click.avsc").read_text()))
    with path.open("wb") as file:
        fastavro.writer(file, parsed, events, codec=codec, sync_interval=4000)
    return path


def ms(value):
    if isinstance(value, datetime.datetime):
        return round((value - EPOCH) / datetime.timedelta(milliseconds=1))
    return value


def test_jobs_give_the_same_bytes(clicks):
    words = ("replay", *SHIPPED, "--rows", ALL, "--as-of", "2026-01-31T00:00:00Z")
    one = freshet(*words, clicks).out
    assert one.count(b"\n") > 20000
    for jobs in (2, 5):
        assert freshet(*words, "--jobs", jobs, clicks).out == one
    avro = ("--output-format", "avro")
    assert freshet(*words, *avro, clicks).out == freshet(*words, *avro, "--jobs", 2, clicks).out


def test_rows_of_several_partitions_come_in_the_order_of_the_input(clicks):
    events = [json.loads(line) for line in clicks.read_text().splitlines()]
    fates = freshet("replay", *SHIPPED, "--rows", "fate", "--jobs", 3, clicks).rows
    assert [row["key"] for row in fates] == [event["user_id"] for event in events]
    assert [row["partition"] for row in fates] == [event["@partition"] for event in events]


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard"])
def test_avro_in_is_as_json_in(clicks, tmp_path, codec):
    events = plain(clicks)
    source = tmp_path / "plain.jsonl"
    source.write_text(lines(events))
    wanted = freshet("replay", *SHIPPED, source).out
    assert len(wanted.splitlines()) > 5000
    container = written(tmp_path / "clicks.avro", events, codec)
    assert freshet("replay", *SHIPPED, container).out == wanted
    assert freshet("replay", *SHIPPED, "-", stdin=container.read_bytes()).out == wanted
    assert freshet("replay", *SHIPPED, "--format", "avro", container, "--jobs", 2).out == wanted


def test_avro_of_an_older_writer_is_resolved(clicks, tmp_path):
    """Microseconds, the item under its former name, floats, fields that are missing."""
    older = json.loads((SCHEMAS / "click-v1.avsc").read_text())
    events = []
    for event in plain(clicks)[:500]:
        event["product_id"] = event.pop("item_id")
        event["event_time"] = event["event_time"] * 1000 + 7
        event["event_type"] = {"other": "wishlist"}.get(event["event_type"], event["event_type"])
        events.append(event)
    container = written(tmp_path / "old.avro", events, schema=older)
    run = freshet("replay", *SHIPPED, "--rows", "fate", "--summary", container)
    assert run.summary["fates"]["applied"] + run.summary["fates"]["windows_only"] + \
        run.summary["fates"]["late"] == 500
    with container.open("rb") as file:
        wanted = [event["user_id"] for event in fastavro.reader(file)]
    assert [row["key"] for row in run.rows] == wanted
    newest = max(ms(event["event_time"]) // 1000 for event in events)
    assert run.summary["partitions"][0]["as_of"] == newest


def test_avro_out_has_the_values_of_json_out(clicks, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("key,time,bought\nu00000001,2026-01-31T12:00:00Z,1\n"
                      "nobody,2026-01-31T12:00:00Z,0\n")
    words = ("replay", *SHIPPED, "--rows", ALL, "--lateness", "1d", "--as-of",
             "2026-01-31T12:00:00Z", "--labels", labels)
    wanted = freshet(*words, clicks).rows
    container = tmp_path / "rows.avro"
    freshet(*words, "--output-format", "avro", "--output", container, clicks)
    with container.open("rb") as file:
        found = list(fastavro.reader(file))
    assert len(found) == len(wanted) > 10000
    assert {row["kind"] for row in found} == {*ALL.split(","), "as_of", "label"}
    for row, expected in zip(found, wanted):
        if "label" in expected:
            expected["label"] = json.dumps(expected["label"], separators=(",", ":"))
        assert {name: ms(value) for name, value in row.items()} == {
            **dict.fromkeys(row), **expected}


def test_avro_out_is_read_by_inspect(clicks, tmp_path):
    container = tmp_path / "rows.avro"
    freshet("replay", *SHIPPED, "--rows", "close", "--output-format", "avro", "--output",
            container, clicks)
    rows = [json.loads(line)["value"] for line in freshet("inspect", container).out.splitlines()]
    assert rows and all(row["kind"] == "close" and not row["session"]["open"] for row in rows)


def test_a_configuration_instead_of_options(clicks, tmp_path):
    config = tmp_path / "freshet.ini"
    config.write_text(f"[schema]\nreader = {SCHEMAS}/click.avsc\nframing = raw\n"
                      f"[features]\nfile = {SCHEMAS}/features.ini\n[session]\ngap = 30m\n")
    assert freshet("replay", "-c", config, clicks).out == freshet("replay", *SHIPPED, clicks).out
    # Options go before the file, and their paths are those of the working directory.
    (tmp_path / "f.ini").write_text("[feature n]\nop = count\nover = session\n")
    rows = freshet("replay", "-c", config, "--features", "f.ini", clicks, cwd=tmp_path).rows
    assert set(rows[0]["features"]) == {"n"}
