"""Labels joined with what could be known just before them: the labelled event is never in it.

The generated data has users who view and sometimes buy, disordered in arrival. A label is "bought
at t". A model that is asked before t does not know that purchase. The naive join (the newest row of
the user at or before the label's time, by event time) does.
"""
import json
import random

import pytest
from replaying import Bench

MINUTE = 60000
FEATURES = """
[feature bought_1h]
op = count
where = kind == "buy"
over = 1h

[feature last_bought]
op = last(ts)
where = kind == "buy"
over = 30d

[feature seen]
op = count
over = 1h
"""
USERS, SLACK = 6, 120000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A bench, its events in the order of arrival, and the labels: one a purchase."""
    rng = random.Random(7)
    events = []
    for number in range(3000):
        ts = number * 20000 + rng.randrange(20000)
        kind = "buy" if rng.random() < 0.15 else "view"
        events.append({"key": f"u{rng.randrange(USERS)}", "ts": ts, "kind": kind, "n": number})
    arrival = sorted(events, key=lambda event: event["ts"] + rng.randrange(SLACK))
    for event in arrival:       # records are stamped as they come
        event["@timestamp"] = max(event["ts"], event["ts"] + rng.randrange(SLACK))
    labels = [{"key": event["key"], "time": event["ts"], "label": 1, "event": event["n"]}
              for event in events if event["kind"] == "buy"]
    assert len(labels) > 300
    return Bench(tmp_path_factory.mktemp("labels"), FEATURES), arrival, labels


def test_a_label_never_knows_its_event(world):
    bench, arrival, labels = world
    rows = bench.replay(arrival, "--labels", bench.file("labels.jsonl", labels)).rows
    assert len(rows) == len(labels)
    assert {row["label"]["event"] for row in rows} == {label["event"] for label in labels}
    for row in rows:
        assert row["kind"] == "label" and row["as_of"] == row["time"] - 1
        last = row["features"]["last_bought"]
        assert last is None or last < row["time"]
    known = [row for row in rows if row["features"]["last_bought"] is not None]
    assert len(known) > 200       # they know the purchases before


def test_the_naive_join_does(world):
    """The newest `event` row at or before the label contains the labelled event: the leak."""
    bench, arrival, labels = world
    newest = {}
    for row in bench.replay(arrival, "--rows", "event").rows:
        event = arrival[row["offset"]]
        newest.setdefault(event["key"], []).append((event["ts"], row))
    leaks = 0
    for label in labels:
        _, row = max(((ts, row) for ts, row in newest[label["key"]] if ts <= label["time"]),
                     key=lambda pair: pair[0])
        leaks += row["features"]["last_bought"] == label["time"]
    assert leaks > 0.9 * len(labels)


def test_pre_event_rows_do_not(world):
    bench, arrival, labels = world
    rows = bench.replay(arrival, "--rows", "pre_event").rows
    purchases = [row for row in rows if arrival[row["offset"]]["kind"] == "buy"]
    assert len(purchases) == len(labels)
    for row in purchases:
        assert row["features"]["last_bought"] != arrival[row["offset"]]["ts"]


def test_a_label_equals_a_recomputation(world):
    """The rule Label of docs/semantics.md: raw below t, and no event of the key at or after t."""
    bench, arrival, labels = world
    rows = bench.replay(arrival, "--labels", bench.file("labels.jsonl", labels)).rows
    for row in rows[::7]:
        t, raw, bought = row["time"], None, []
        for event in arrival:
            reached = min(event["ts"], event["@timestamp"])
            raw = reached if raw is None else max(raw, reached)
            if raw >= t or (event["key"] == row["key"] and event["ts"] >= t):
                break
            if event["key"] == row["key"] and event["kind"] == "buy":
                bought.append(event["ts"])
        assert row["features"]["last_bought"] == (max(bought) if bought else None)


def test_final_knowledge_is_marked_and_knows_all_before(world):
    bench, arrival, labels = world
    rows = bench.replay(arrival, "--labels", bench.file("labels.jsonl", labels), "--knowledge",
                        "final").rows
    then = bench.replay(arrival, "--labels", bench.file("labels.jsonl", labels)).rows
    assert {row["knowledge"] for row in rows} == {"final"}
    assert {row["knowledge"] for row in then} == {"then"}
    more = 0
    by_event = {row["label"]["event"]: row["features"]["last_bought"] for row in then}
    for row in rows:
        bought = [event["ts"] for event in arrival if event["key"] == row["key"] and
                  event["kind"] == "buy" and event["ts"] < row["time"]]
        assert row["features"]["last_bought"] == (max(bought) if bought else None)
        more += row["features"]["last_bought"] != by_event[row["label"]["event"]]
    assert len(rows) == len(labels) and more > 0


def test_final_knowledge_has_what_came_too_late(tmp_path):
    bench = Bench(tmp_path)
    events = [{"key": "k", "ts": 100 * MINUTE}, {"key": "clock", "ts": 900 * MINUTE},
              {"key": "k", "ts": 90 * MINUTE}]
    labels = bench.file("labels.csv", f"key,time\nk,{110 * MINUTE}\n")
    final = bench.replay(events, "--labels", labels, "--knowledge", "final").rows[0]
    then = bench.replay(events, "--labels", labels).rows[0]
    assert (then["features"]["seen"], final["features"]["seen"]) == (1, 2)
    assert (then["features"]["seen_1h"], final["features"]["seen_1h"]) == (1, 2)


def test_csv_and_json_lines_are_the_same(tmp_path):
    bench = Bench(tmp_path)
    events = [{"key": "a,b", "ts": 1000}, {"key": "c", "ts": 2000}]
    table = bench.file("l.csv", 'key,time,y,name,ok,none\r\n"a,b",1500,1.50,"say ""hi""",true,\r\n'
                                'c,1970-01-01T00:00:03Z,-2,"7",x,""\r\n')
    objects = bench.file("l.jsonl", (
        '{"key": "a,b", "time": 1500, "y": 1.50, "name": "say \\"hi\\"", "ok": true, '
        '"none": null}\n'
        '{"time": "1970-01-01T00:00:03Z", "y": -2, "name": "7", "ok": "x", "none": "", '
        '"key": "c"}\n'))
    one, two = (bench.replay(events, "--labels", path) for path in (table, objects))
    assert one.out == two.out
    assert [row["label"] for row in one.rows] == [
        {"y": 1.5, "name": 'say "hi"', "ok": True, "none": None},
        {"y": -2, "name": "7", "ok": "x", "none": ""}]
    assert b'"y":1.50' in one.out, "a column is kept as it was written"


def test_an_unknown_key_has_an_empty_row(tmp_path):
    bench = Bench(tmp_path)
    labels = bench.file("l.csv", "key,time,y\nnobody,1500,1\nk,1500,2\n")
    rows = bench.replay([{"key": "k", "ts": 1000}], "--labels", labels).rows
    assert [(row["key"], row["partition"], row["features"]["seen"]) for row in rows] == [
        ("k", 0, 1), ("nobody", None, 0)]


@pytest.mark.parametrize("content, wrong", [
    ("key,y\nk,1\n", ":1: the header has no column time"),
    ("key,time\nk,soon\n", ':2: "soon" is no time'),
    ("key,time\nk,1,2\n", ":2: there are more columns than in the header (2)"),
    ("key,time,y\nk,1\n", ":2: there are fewer columns than in the header (3)"),
    ('key,time\n"k,1\n', ":2: a quote does not end"),
    ('{"key": "k", "time": 1}\n{"key": "k"}\n', ":2: the label has no time"),
    ('{"time": 1}\n', ":1: the label has no key"),
    ('{"key": "k", "time": 1, "y": tru}\n', ":1: column 30: expected a JSON value"),
])
def test_wrong_labels(bench, content, wrong):
    labels = bench.file("labels", content)
    run = bench.replay([], "--labels", labels, status=66)
    assert f"{labels}{wrong}" in run.err and run.out == b""


def test_labels_json_is_kept_whole(bench):
    labels = bench.file("l.jsonl", '{"key":"k","time":9,"deep":{"a":[1,{"b":"}"}],"c":null}}\n')
    row, = bench.replay([], "--labels", labels).rows
    assert row["label"] == {"deep": {"a": [1, {"b": "}"}], "c": None}}
    assert json.dumps(row["label"]["deep"]["a"][1]) == '{"b": "}"}'


@pytest.mark.parametrize("second", [
    {"key": "other", "ts": 2000},                           # brings raw to the label's time
    {"key": "k", "ts": 2000, "@timestamp": 1500}])          # reaches it, while raw does not
def test_a_record_at_the_very_time_is_not_known(bench, second):
    """At t exactly: neither it nor what comes after it, even if that lies before t."""
    events = [{"key": "k", "ts": 1000}, second, {"key": "k", "ts": 1999, "@timestamp": 1999},
              {"key": "other", "ts": 9000}]
    labels = bench.file("l.csv", "key,time\nk,2000\n")
    label, = bench.replay(events, "--labels", labels).rows
    assert (label["offset"], label["features"]["seen_1h"]) == (0, 1)
    rows = bench.replay(events, "--as-of", "2000").rows
    assert [row["features"]["seen_1h"] for row in rows if row["key"] == "k"] == [1]
