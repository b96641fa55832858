"""Rows of a replay: what comes to be when, points in time, and other systems' session cases."""
import copy
import json

import disorder
import pytest
import replay
import replay_check
import session_cases
from loglines import build, event
from rows_check import text_of
from settings import Settings

GAP = {"session__gap": "10", "time__out_of_orderness": "0", "time__window_lateness": "1",
       "state__keep": "365d"}
LATE = dict(GAP, session__lateness="100")
COUNT = {"n": {"op": "session_event_count"}}
SESSION_KINDS = ("open", "close", "correction", "retract")


def replayed(lines, kinds, features=None, ask=None, **values):
    settings, feature_set, reader = build(features or COUNT, **values)
    made = replay.Replay(settings, kinds, feature_set, reader)
    if ask:
        ask(made)
    return list(made.rows(lines))


def told(rows):
    """kind, offset, as_of and session of each row, short."""
    return [(row["kind"], row["offset"], row["as_of"], *row.get("session", {}).values())
            for row in rows]


def test_a_session_opens_and_closes():
    rows = replayed([event(0), event(5), event(15, "o"), event(16, "o")],
                    ("open", "close", "event", "retract", "correction"), **GAP)
    assert told(rows) == [
        ("open", 0, 0, 0, 0, 0, True, 1), ("event", 0, 0), ("event", 1, 5),
        ("open", 2, 15, 2, 15, 15, True, 1), ("event", 2, 15),
        ("close", 3, 16, 0, 0, 5, False, 2), ("event", 3, 16)]
    assert [row["key"] for row in rows[5:]] == [b"k", b"o"]
    assert [row["features"]["n"] for row in rows] == [1, 1, 2, 1, 1, 2, 2]
    assert [row["watermark"] for row in rows] == [0, 0, 5, 15, 15, 16, 16]


def test_an_idle_partition_closes_and_a_late_event_corrects():
    lines = [event(0), {"@op": "idle", "as_of": 11}, event(3), event(10), event(30, "o")]
    rows = replayed(lines, SESSION_KINDS, **GAP)
    assert told(rows)[1:] == [
        ("close", None, 11, 0, 0, 0, False, 1), ("correction", 1, 11, 0, 0, 3, True, 2),
        ("close", 3, 30, 0, 0, 10, False, 3), ("open", 3, 30, 3, 30, 30, True, 1)]
    # by the watermark it was open all the time
    assert [row["rev"] for row in rows] == [0] * 5


def test_a_correction_of_what_stays_closed():
    rows = replayed([event(0), event(50, "o"), event(3), event(9)], SESSION_KINDS, **LATE)
    assert told(rows)[1:] == [
        ("close", 1, 50, 0, 0, 0, False, 1), ("open", 1, 50, 1, 50, 50, True, 1),
        ("correction", 2, 50, 0, 0, 3, False, 2), ("correction", 3, 50, 0, 0, 9, False, 3)]
    assert [row["rev"] for row in rows] == [0, 0, 0, 1, 2]


def test_a_session_made_closed_is_a_correction():
    rows = replayed([event(50, "o"), event(0)], SESSION_KINDS, **LATE)
    assert told(rows)[1:] == [("correction", 1, 50, 1, 0, 0, False, 1)]


def test_a_merge_retracts():
    rows = replayed([event(0), event(20), event(50, "o"), event(10)], SESSION_KINDS, **LATE)
    assert told(rows)[4:] == [
        ("open", 2, 50, 2, 50, 50, True, 1), ("retract", 3, 50, 1, 20, 20, False, 1),
        ("correction", 3, 50, 0, 0, 20, False, 3)]
    assert rows[-1]["rev"] == 2         # the event and the merge


def test_rows_of_a_session_show_that_session():
    """[0, 1] closes while [20] is the newest."""
    features = {"first": {"op": "session_start"}, "n": {"op": "count", "over": "session"},
                "all": {"op": "count", "over": "1h"}}
    slow = dict(GAP, time__out_of_orderness="20")
    rows = replayed([event(0), event(1), event(20), event(32, "o")], ("close",), features, **slow)
    assert [row["features"] for row in rows] == [{"first": 0, "n": 2, "all": 3}]


def test_pre_event_rows_have_not_seen_the_event():
    features = {"n": {"op": "count", "over": "60s"}, "open": {"op": "session_is_open"}}
    lines = [event(0), event(5), event(100000, "o"), event(99990), event(3), event(99995)]
    rows = replayed(lines, ("pre_event",), features, **GAP)
    assert [(row["offset"], row["as_of"], row["features"]["n"]) for row in rows] == [
        (0, 0, 0), (1, 5, 1), (2, 100000, 0), (3, 100000, 0), (5, 100000, 1)]
    # as_of moves by the event's own time, the state does not
    assert [row["watermark"] for row in rows] == [None, 0, 5, 100000, 100000]


def test_fate_rows():
    lines = [event(100), event(0), {"@value": None, "@timestamp": 5}, event(100, "")]
    rows = replayed(lines, ("fate",), **GAP)
    assert [(row["offset"], row.get("key"), row["fate"]) for row in rows] == [
        (0, b"k", "applied"), (1, b"k", "late"), (2, None, "tombstone"), (3, None, "no_key")]


def at_times(lines, times, **values):
    rows = replayed(lines, (), None, lambda made: made.ask_times(times), **dict(GAP, **values))
    return [(row["time"], row["key"].decode(), row["features"]["n"]) for row in rows]


def test_state_at_a_time():
    lines = [event(0), event(0, "a"), event(5), event(10, "a"), event(12)]
    assert at_times(lines, [0, 5, 6, 13]) == [
        (5, "a", 1), (5, "k", 1), (6, "a", 1), (6, "k", 2), (13, "a", 2), (13, "k", 3)]


def test_the_prefix_ends_at_the_keys_first_record_at_that_time_or_later():
    """raw is bounded by record time: k's event of 7 does not bring it to 7."""
    lines = [event(0), event(7, _timestamp=3), event(4, _timestamp=4), event(5, "a"),
             event(9, "a")]
    assert at_times(lines, [6]) == [(6, "k", 1), (6, "a", 1)]
    assert at_times(lines, [8]) == [(8, "a", 1), (8, "k", 3)]


def test_labels():
    def ask(made):
        for key, t in ((b"k", 6), (b"k", 3), (b"k", 99), (b"nobody", 6)):
            made.ask_label(0, key, t, t + 1)
    rows = replayed([event(0), event(5), event(9, "a")], (), None, ask, **GAP)
    assert [(row["key"], row["time"], row["ask"], row["as_of"], row["features"]["n"])
            for row in rows] == [(b"k", 3, 4, 2, 1), (b"k", 6, 7, 5, 2), (b"nobody", 6, 7, 5, 0),
                                 (b"k", 99, 100, 98, 2)]


def test_given_points():
    """Any point of a prefix, also before the first record and of an unknown key."""
    lines = [event(0, _offset=5), event(5, _offset=8), event(3, "a", _offset=9)]
    points = [(0, 8, 100, b"k", 0), (0, 4, 0, b"k", 1), (0, 7, 0, b"k", 2), (0, 9, 9, b"b", 3),
              (0, 99, 9, b"a", 4)]
    rows = replayed(lines, (), {"n": {"op": "count", "over": "session"},
                                "open": {"op": "session_is_open"}},
                    lambda made: made.ask_points(points), **GAP)
    assert {row["ask"]: row["features"] for row in rows} == {
        0: {"n": 2, "open": False}, 1: {"n": 0, "open": False}, 2: {"n": 1, "open": True},
        3: {"n": 0, "open": False}, 4: {"n": 1, "open": True}}


@pytest.mark.parametrize("case", session_cases.cases(), ids=lambda case: case["name"])
def test_cases_of_other_systems(case):
    lines = [event(line["at"], line["who"], value=line["price"], _partition=line["@partition"])
             for line in session_cases.lines_of(case)]
    rows = replayed(lines, (*SESSION_KINDS, "fate"),
                    {"agg": {"op": session_cases.AGG[case["agg"]].replace("price", "value"),
                             "over": "session"}}, state__keep="365d",
                    **{name.replace(".", "__"): value
                       for name, value in session_cases.settings_of(case).items()})
    for row in rows:
        row["key"] = row["key"].decode()
    session_cases.check(case, rows)


def disordered(seed, features="windows", count=600):
    """(a function that makes a Replay, lines) of one world."""
    settings = Settings(disorder.values_of(seed, features))
    lines = list(disorder.Stream(seed, settings, 60).lines(count))
    return lambda kinds: replay.Replay(settings, kinds), lines


def test_every_rule_is_at_work_in_the_streams():
    fates, merged, corrected, different = {}, 0, 0, {}
    for seed in disorder.WORLDS:
        make, lines = disordered(seed, count=1500)
        made = make(("event", "correction"))
        for row in made.rows(lines):
            corrected += row["kind"] == "correction"
            for name, value in row["features"].items():
                different.setdefault(name, set()).add(repr(value))
        for fate, count in made.oracle.fates().items():
            fates[fate] = fates.get(fate, 0) + count
        merged += sum(shard.sessions_merged for shard in made.oracle.shards.values())
        forgotten = made.oracle.key_count() - sum(len(shard.keys) for shard in
                                                  made.oracle.shards.values())
        assert forgotten > 0
    assert set(fates) == {"applied", "windows_only", "late", "duplicate", "over_capacity",
                          "filtered", "too_old", "future", "no_key", "bad_time", "tombstone"}
    assert merged > 40 and corrected > 400
    assert {name for name, values in different.items() if len(values) < 4} <= {
        "session_is_open", "top_flag"}


@pytest.mark.parametrize("features", disorder.FEATURES)
def test_event_rows_are_points_of_their_prefixes(features):
    make, lines = disordered(4, features)
    rows = [row for row in make(("event",)).rows(lines)]
    again = make(())
    again.ask_points([(row["partition"], row["offset"], row["as_of"], row["key"], number)
                      for number, row in enumerate(rows)])
    points = {row["ask"]: row for row in again.rows(lines)}
    assert len(points) == len(rows) > 400
    assert all(points[number]["features"] == row["features"] and points[number]["rev"] ==
               row["rev"] for number, row in enumerate(rows))


def through_json(rows):
    """Rows as a program would print and another read them."""
    return [json.loads(json.dumps({**replay_check.as_json(row), "v": "1"}, default=text_of))
            for row in rows]


def test_rows_checked_against_themselves():
    make, lines = disordered(5)
    lines = [line for line in lines if line["@partition"] == 1]
    made = make(replay.KINDS)
    wanted = list(made.rows(lines))
    features = made.oracle.features.by_name
    found = through_json(wanted)
    counts = replay_check.check_rows(found, wanted, features)
    assert sum(counts.values()) == len(wanted) and min(counts.values()) > 0
    planted = [("as_of", lambda row: row["as_of"] + 1), ("rev", lambda row: row["rev"] + 1),
               ("key", lambda row: row["key"] + "x"), ("watermark", lambda row: None),
               ("v", lambda row: "other"), ("kind", lambda row: "pre_event")]
    for name, change in planted:
        wrong = copy.deepcopy(found)
        row = next(row for row in reversed(wrong) if row["kind"] == "event")
        row[name] = change(row)
        with pytest.raises(replay_check.Different):
            replay_check.check_rows(wrong, wanted, features)
    for feature in features:
        wrong = copy.deepcopy(found)
        next(row for row in wrong if row["kind"] == "event")["features"][feature] = "?"
        with pytest.raises(replay_check.Different, match=feature):
            replay_check.check_rows(wrong, wanted, features)
    for wrong in (found[:-1], found[1:], found + found[-1:], found[:5] + found[6:]):
        with pytest.raises(replay_check.Different):
            replay_check.check_rows(wrong, wanted, features)
