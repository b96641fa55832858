"""What each kind of row shows, in small examples that can be followed by hand."""
import json

from replaying import Bench

HOUR, MINUTE = 3600000, 60000
SHORT = ("--gap", "10m", "--out-of-orderness", "0")


def test_members_of_a_row(bench):
    run = bench.replay([{"key": "ada", "ts": 1000}], *SHORT)
    row, = run.rows
    assert list(row) == ["kind", "key", "as_of", "watermark", "partition", "offset", "rev",
                         "features", "v"]
    assert row["features"] == {"seen": 1, "seen_1h": 1} and len(row["v"]) == 16
    assert (row["kind"], row["key"], row["as_of"], row["watermark"]) == ("event", "ada", 1000, 1000)


def test_a_session_from_open_to_retract(bench):
    """Two sessions 15 minutes apart close, and an event between them makes them one."""
    events = [{"key": "k", "ts": 0}, {"key": "k", "ts": 15 * MINUTE},
              {"key": "clock", "ts": 40 * MINUTE}, {"key": "k", "ts": 8 * MINUTE}]
    run = bench.replay(events, *SHORT, "--lateness", "1h", "--rows",
                       "open,close,correction,retract,fate")
    told = [(row["kind"], row["key"], row["offset"], row.get("session", {}).get("id"))
            for row in run.rows]
    assert told == [
        ("open", "k", 0, 0), ("fate", "k", 0, None),
        ("close", "k", 1, 0), ("open", "k", 1, 1), ("fate", "k", 1, None),
        ("close", "k", 2, 1), ("open", "clock", 2, 2), ("fate", "clock", 2, None),
        ("retract", "k", 3, 1), ("correction", "k", 3, 0), ("fate", "k", 3, None)]
    correction = run.of("correction")[0]
    assert correction["session"] == {
        "id": 0, "start": 0, "last": 15 * MINUTE, "open": False, "count": 3}
    assert correction["rev"] == 2 and correction["features"]["seen"] == 3
    assert "features" not in run.of("retract")[0]


def test_pre_event_does_not_know_its_event(bench):
    events = [{"key": "k", "ts": 0}, {"key": "k", "ts": MINUTE}]
    rows = bench.replay(events, *SHORT, "--rows", "pre_event,event").rows
    assert [(row["kind"], row["as_of"], row["features"]["seen"]) for row in rows] == [
        ("pre_event", 0, 0), ("event", 0, 1), ("pre_event", MINUTE, 1), ("event", MINUTE, 2)]


def test_no_pre_event_of_what_does_not_enter(bench):
    events = [{"key": "k", "ts": 3 * HOUR}, {"key": "k", "ts": 0}]
    run = bench.replay(events, *SHORT, "--rows", "pre_event,event,fate")
    assert [row["kind"] for row in run.rows] == ["pre_event", "fate", "event", "fate"]
    assert run.rows[-1]["fate"] == "late" and run.rows[-1]["late_by_ms"] == 3 * HOUR


def test_decay_when_time_passes(bench):
    events = [{"key": "k", "ts": 0}, {"key": "other", "ts": 2 * HOUR}]
    rows = bench.replay(events, *SHORT, "--rows", "decay").rows
    assert [(row["key"], row["as_of"], row["features"]["seen_1h"]) for row in rows] == [
        ("k", 2 * HOUR, 0)]


def test_an_idle_partition_goes_on(bench):
    events = [{"key": "k", "ts": 0, "@partition": 3},
              {"@op": "idle", "@partition": 3, "as_of": 11 * MINUTE}]
    row, = bench.replay(events, *SHORT, "--rows", "close").rows
    assert (row["offset"], row["as_of"], row["partition"]) == (None, 11 * MINUTE, 3)
    assert row["watermark"] == 0 and row["session"]["open"] is False


def test_meta_members(bench):
    events = [{"key": "a", "ts": 5000, "@partition": 1, "@offset": 7, "@timestamp": 9000},
              {"key": "b", "ts": 6000, "@partition": 1},
              {"@value": None, "@partition": 1, "@offset": 20},
              {"key": "c", "ts": 7000}]
    run = bench.replay(events, "--rows", "fate", "--summary")
    assert [(row["partition"], row["offset"], row["fate"]) for row in run.rows] == [
        (1, 7, "applied"), (1, 8, "applied"), (1, 20, "tombstone"), (0, 0, "applied")]
    assert [part["next_offset"] for part in run.summary["partitions"]] == [21, 1]


def test_record_time_is_the_event_time_unless_it_is_said(bench):
    """An event an hour ahead of its record is clamped; one without a record time never is."""
    ahead = {"key": "k", "ts": HOUR}
    assert bench.replay([{**ahead, "@timestamp": 1000}]).rows[0]["as_of"] == 1000
    assert bench.replay([ahead]).rows[0]["as_of"] == HOUR


def test_times_may_be_text_where_the_schema_says_time(tmp_path):
    schema = {"type": "record", "name": "E", "fields": [
        {"name": "key", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}
    bench = Bench(tmp_path, schema=schema)
    rows = bench.replay([{"key": "k", "ts": "2026-01-31T00:00:00.5Z"},
                         {"key": "k", "ts": 1769817600750999}]).rows
    assert [row["as_of"] for row in rows] == [1769817600500, 1769817600750]


def test_as_of_is_before_what_reaches_it(bench):
    """At t: without what has ts >= t, even when another key brings the time."""
    events = [{"key": "a", "ts": 1000}, {"key": "b", "ts": 3000}, {"key": "a", "ts": 2500},
              {"key": "b", "ts": 2000}]
    rows = bench.replay(events, "--as-of", "2500,9000", "--out-of-orderness", "5s").rows
    assert [(row["kind"], row["key"], row["time"], row["as_of"], row["offset"],
             row["features"]["seen_1h"]) for row in rows] == [
        ("as_of", "a", 2500, 2499, 0, 1),
        ("as_of", "a", 9000, 8999, 3, 2), ("as_of", "b", 9000, 8999, 3, 2)]


def test_as_of_of_a_key_that_is_ahead_of_its_shard(bench):
    """Record times hold raw back: the key's own event decides, and it gets one row."""
    events = [{"key": "a", "ts": 1000}, {"key": "b", "ts": 1500},
              {"key": "a", "ts": 5000, "@timestamp": 2000}, {"key": "b", "ts": 9000}]
    rows = bench.replay(events, "--as-of", "4000").rows
    assert [(row["key"], row["offset"], row["features"]["seen_1h"]) for row in rows] == [
        ("a", 1, 1), ("b", 2, 1)]


def test_points_are_what_rows_were(bench):
    """--at gives the row of a key after a prefix, in the order of the file."""
    events = [{"key": "a", "ts": 1000 * i, "@partition": i % 2} for i in range(10)]
    points = [{"partition": 1, "offset": 4, "as_of": 9000, "key": "a"},
              {"partition": 0, "offset": 1, "as_of": 2500, "key": "a", "features": {"x": [1]}},
              {"partition": 0, "offset": 1, "as_of": 3 * HOUR, "key": "a"},
              {"partition": 0, "offset": 2, "as_of": 4000, "key": "a"},
              {"partition": 0, "offset": 1, "as_of": 2500, "key": "nobody"}]
    run = bench.replay(events, *SHORT, "--at", bench.file("points.jsonl", points))
    assert [(row["partition"], row["offset"], row["as_of"], row["key"], row["newest"],
             row["features"]["seen_1h"]) for row in run.rows] == [
        (1, 4, 9000, "a", 4, 5), (0, 1, 2500, "a", 1, 2), (0, 1, 3 * HOUR, "a", 1, 0),
        (0, 2, 4000, "a", 2, 3), (0, 1, 2500, "nobody", -1, 0)]
    again = bench.replay(events, *SHORT, "--jobs", 2, "--at", bench.file("p.jsonl", run.rows))
    assert again.out == run.out


def test_a_forgotten_key_keeps_its_newest_offset(bench):
    events = [{"key": "a", "ts": 0}, {"key": "clock", "ts": 100 * HOUR}]
    point = {"partition": 0, "offset": 1, "as_of": 100 * HOUR, "key": "a"}
    row, = bench.replay(events, "--at", bench.file("p.jsonl", [point])).rows
    assert (row["newest"], row["features"]) == (0, {"seen": 0, "seen_1h": 0})


def test_summary(bench):
    events = [{"key": "a", "ts": 1000}, {"key": None, "ts": 1000}, {"key": "a", "ts": -1},
              {"key": "b", "ts": HOUR}]
    run = bench.replay(events, "--summary", "--rows", "close")
    summary = run.summary
    assert summary["records"] == sum(summary["fates"].values()) == 4
    assert {name: count for name, count in summary["fates"].items() if count} == {
        "applied": 2, "no_key": 1, "bad_time": 1}
    assert summary["sessions"]["opened"] == 2 and summary["sessions"]["closed"] == 1
    assert summary["watermark"] == HOUR - 5000 and summary["rows"] == 1
    assert json.loads(run.err) == summary
