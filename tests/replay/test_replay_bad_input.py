"""What is no record is an error that says where; what is data is a fate; no row is ever half.

Each case stands behind two good records: their rows are always written, whole.
"""
import io
import json

import fastavro
import pytest
from replaying import SCHEMA, Bench, freshet

GOOD = '{"key": "a", "ts": 1000}\n{"key": "b", "ts": 2000}\n'
PLACE = "events.jsonl:3:"
# line, column and a part of the message
LINES = {
    "not JSON": ("hello", 1, "expected `{`"),
    "an array": ('[{"key": "a"}]', 1, "expected `{`"),
    "cut": ('{"key": "a", "ts": 30', 22, "the end of the line"),
    "cut string": ('{"key": "a', 11, "without its closing quote"),
    "two objects": ('{"key": "a", "ts": 1} {}', 23, "something stands behind the object"),
    "comma at the end": ('{"key": "a", "ts": 1,}', 22, "expected a string"),
    "unknown field": ('{"key": "a", "ts": 1, "tz": 2}', 23, 'no field "tz"; it has key, ts'),
    "unknown member": ('{"key": "a", "ts": 1, "@topic": 2}', 23, '"@topic" is none of'),
    "missing field": ('{"key": "a"}', 1, 'the field "ts" is missing'),
    "a field twice": ('{"key": "a", "ts": 1, "ts": 2}', 23, '"ts" comes twice'),
    "text for a long": ('{"key": "a", "ts": "1"}', 20, "expected a number, found a string"),
    "fraction for a long": ('{"key": "a", "ts": 1.5}', 20, "a long is a whole number"),
    "exponent for a long": ('{"key": "a", "ts": 1e3}', 20, "a long is a whole number"),
    "too long": ('{"key": "a", "ts": 9223372036854775808}', 20, "at most 64 bits"),
    "beyond an int": ('{"key": "a", "ts": 1, "n": 2147483648}', 28, "at most 32 bits"),
    "beyond a double": ('{"key": "a", "ts": 1, "value": 1e999}', 32, "what a double can hold"),
    "null for a long": ('{"key": "a", "ts": null}', 20, "expected a number, found null"),
    "number for text": ('{"key": 7, "ts": 1}', 9, "expected null or string, found a number"),
    "object for text": ('{"key": {}, "ts": 1}', 9, "expected null or string, found an object"),
    "leading zero": ('{"key": "a", "ts": 01}', 20, "expected a number"),
    "plus sign": ('{"key": "a", "ts": +1}', 20, "expected a number"),
    "bad escape": ('{"key": "\\x", "ts": 1}', 10, "no escape of JSON"),
    "half a surrogate": ('{"key": "\\ud800", "ts": 1}', 10, "half a pair"),
    "tab in a string": ('{"key": "a\tb", "ts": 1}', 11, "control character"),
    "not UTF-8": (b'{"key": "\xff", "ts": 1}', 9, "not UTF-8"),
    "partition": ('{"key": "a", "ts": 1, "@partition": -1}', 23, "@partition is a number from 0"),
    "offset": ('{"key": "a", "ts": 1, "@offset": "x"}', 34, "expected a number"),
    "value": ('{"key": "a", "ts": 1, "@value": 1}', 33, "@value is null or left out"),
    "op": ('{"@op": "busy", "as_of": 1}', 9, 'there is no @op but "idle"'),
    "op without as_of": ('{"@op": "idle"}', 15, "as_of is missing"),
    "op that is late": ('{"key": "a", "@op": "idle", "as_of": 1}', 14, "@op is the first member"),
    "op with fields": ('{"@op": "idle", "as_of": 1, "ts": 1}', 29, "an idle line has"),
}


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("jobs", [1, 2])
def test_line(bench, name, jobs):
    line, column, message = LINES[name]
    content = GOOD.encode() + as_bytes(line) + b"\n" + GOOD.encode()
    run = bench.replay(content, "--rows", "fate", "--jobs", jobs, status=65)
    assert f"{PLACE}{column}: " in run.err and message in run.err, run.err
    assert [row["offset"] for row in run.rows] == [0, 1]
    assert run.out.endswith(b"}\n")


def test_unsorted_offsets(bench):
    events = [{"key": "a", "ts": 1, "@offset": 5}, {"key": "a", "ts": 1, "@partition": 1},
              {"key": "a", "ts": 1, "@offset": 5}, {"key": "a", "ts": 1}]
    run = bench.replay(events, "--rows", "fate", status=65)
    assert "events.jsonl: line 3: offset 5 of partition 0 does not come after 5" in run.err
    assert [(row["partition"], row["offset"]) for row in run.rows] == [(0, 5), (1, 0)]


def test_what_is_data_is_a_fate(bench):
    events = [{"key": "a", "ts": 1000}, {"key": None, "ts": 1}, {"key": "", "ts": 1},
              {"key": "k" * 513, "ts": 1}, {"key": "a", "ts": -1},
              {"key": "a", "ts": 253402300800000}, {"key": "b", "ts": 10**11},
              {"key": "a", "ts": 5}]
    run = bench.replay(events, "--rows", "fate", "--summary")
    assert [row["fate"] for row in run.rows] == [
        "applied", "no_key", "no_key", "no_key", "bad_time", "bad_time", "applied", "late"]
    assert run.summary["fates"]["no_key"] == 3


def test_a_large_datum_is_a_fate(tmp_path):
    bench = Bench(tmp_path)
    (tmp_path / "f.conf").write_text(
        f"[schema]\nreader = {tmp_path}/e.avsc\nframing = raw\nmax_bytes = 100\n"
        f"[features]\nfile = {tmp_path}/f.ini\n[event]\nkey = key\ntime = ts\n")
    events = bench.file("e.jsonl", [{"key": "a", "ts": 1}, {"key": "a", "ts": 2, "item": "x" * 99}])
    run = freshet("replay", "-c", tmp_path / "f.conf", "--rows", "fate", events)
    assert [row["fate"] for row in run.rows] == ["applied", "oversize"]


def test_blank_lines_and_a_last_line_without_its_end(bench):
    run = bench.replay('\n{"key": "a", "ts": 1}\r\n\n  \n{"ts": 2, "key": "a"}', "--rows", "fate")
    assert [row["offset"] for row in run.rows] == [0, 1]
    assert bench.replay("").out == b""


def test_the_line_is_right_far_into_a_file(bench):
    content = GOOD * 4000 + '{"key": "a", "ts": oops}\n'
    run = bench.replay(content, "--rows", "fate", "--jobs", 2, status=65)
    assert "events.jsonl:8001:20: expected a number" in run.err
    assert len(run.rows) == 8000


# ---- container files ----

def container(events, schema=None, **options):
    stream = io.BytesIO()
    fastavro.writer(stream, fastavro.parse_schema(schema or SCHEMA), events, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def blocks():
    """Several blocks of a few records."""
    return container([{"key": "a", "ts": 1000 + i, "kind": "", "value": None, "n": None,
                       "item": None} for i in range(1000)], sync_interval=500)


def test_a_truncated_file(bench, blocks):
    """Wherever it is cut: whole rows, and the block; or, between two blocks, nothing is missing."""
    whole = bench.replay(blocks, "--rows", "fate", name="e.avro").rows
    assert len(whole) == 1000
    header = len(container([]))
    for cut in (header + 1, len(blocks) // 2, len(blocks) - 1, len(blocks) - 20):
        run = bench.replay(blocks[:cut], "--rows", "fate", name="e.avro", status=65)
        assert "e.avro: block " in run.err and "ends in the middle" in run.err
        assert run.rows == whole[:len(run.rows)] and len(run.rows) < 1000


@pytest.mark.parametrize("spoil, message", [
    (lambda data: b"Obj\x02" + data[4:], "is no Avro container file"),
    (lambda data: data[:30], "ends in the middle"),
    (lambda data: data.replace(b"avro.codec\x08null", b"avro.codec\x06lz4"), 'packed by "lz4"'),
    (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "does not end in the file's marker"),
])
def test_a_damaged_file(bench, blocks, spoil, message):
    run = bench.replay(spoil(blocks), "--format", "avro", name="e.avro", status=65)
    assert message in run.err and "e.avro" in run.err, run.err


def test_a_damaged_block(bench):
    """deflate cannot be undone; a datum is not what the schema says."""
    packed = container([{"key": "abc" * 50, "ts": 1, "kind": "", "value": None, "n": None,
                         "item": None}], codec="deflate")
    at = packed.rindex(packed[-16:]) - 5
    run = bench.replay(packed[:at] + b"\xff" + packed[at + 1:], name="e.avro", status=65)
    assert "block 1 cannot be unpacked by deflate" in run.err
    plain = container([{"key": "abc", "ts": 1, "kind": "", "value": None, "n": None,
                        "item": None}])
    run = bench.replay(plain.replace(b"\x02\x06abc", b"\x09\x06abc"), name="e.avro", status=65)
    assert "block 1, record 1: " in run.err and "key" in run.err


def test_a_schema_that_does_not_fit(bench):
    other = {"type": "record", "name": "E", "fields": [{"name": "key", "type": "string"}]}
    run = bench.replay(container([{"key": "a"}], other), name="e.avro", status=65)
    assert "its schema cannot be read as" in run.err and "ts" in run.err


def test_a_datum_without_a_place_in_the_reader_is_a_fate(tmp_path):
    """A symbol that the reader lacks: counted, and what comes after it is read."""
    def schema(symbols):
        return {"type": "record", "name": "E", "fields": [
            {"name": "key", "type": "string"}, {"name": "ts", "type": "long"},
            {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": symbols}}]}
    bench = Bench(tmp_path, '[feature n]\nop = count\nwhere = kind == "x"\nover = 1h\n',
                  schema(["x"]))
    data = container([{"key": "a", "ts": 1, "kind": kind} for kind in "xyx"], schema(["x", "y"]))
    run = bench.replay(data, "--rows", "fate", name="e.avro")
    assert [row["fate"] for row in run.rows] == ["applied", "undecodable", "applied"]


# ---- what is not the input ----

def test_exit_statuses(bench, tmp_path):
    assert "no input" not in bench.replay("", status=0).err
    run = freshet("replay", *bench.options, tmp_path / "nothing.jsonl", status=66)
    assert "nothing.jsonl: No such file" in run.err
    run = freshet("replay", *bench.options, tmp_path, status=66)
    assert "Is a directory" in run.err
    run = bench.replay("", "--output", tmp_path / "no" / "such", status=73)
    assert "No such file" in run.err
    run = bench.replay(GOOD, "--output", "/dev/full", status=74)
    assert "No space left" in run.err
    run = bench.replay("", "--gap", "0", status=78)
    assert "session.gap" in run.err and "--gap" in run.err
    run = freshet("replay", "--schema", bench.path / "e.avsc", "-", status=78)
    assert "features.file is not set" in run.err


@pytest.mark.parametrize("words, message", [
    (["--rows", "event,odd"], "--rows odd"), (["--as-of", "soon"], "--as-of soon"),
    (["--jobs", "0"], "--jobs 0"), (["--format", "xml"], "--format xml"),
    (["--output-format", "csv"], "--output-format csv"), (["--from", "0"], "for --format kafka"),
    (["--format", "kafka"], "needs -c"), (["--knowledge", "final"], "is for --labels"),
    (["--at", "x", "--rows", "event"], "leave out --rows"), (["--nonsense"], "nonsense"),
    (["other.jsonl"], "one input only")])
def test_wrong_usage(bench, words, message):
    run = bench.replay("", *words, status=64)
    assert message in run.err and run.out == b""


@pytest.mark.parametrize("content, wrong", [
    ('{"partition":0,"offset":1,"as_of":1}\n', ":1:37: a point has partition, offset, as_of"),
    ('{"partition":0,"offset":1,"as_of":1,"key":"a"}\n{}\n', ":2:3: a point has"),
    ("nothing\n", ":1:1: expected `{`"),
])
def test_wrong_points(bench, content, wrong):
    points = bench.file("points", content)
    run = bench.replay("", "--at", points, status=66)
    assert f"{points}{wrong}" in run.err, run.err


def test_points_of_a_partition_that_is_not_there(bench):
    points = bench.file("p", json.dumps(dict(partition=7, offset=1, as_of=1, key="a")) + "\n")
    run = bench.replay(GOOD, "--at", points, status=65)
    assert "the input has no partition 7" in run.err
