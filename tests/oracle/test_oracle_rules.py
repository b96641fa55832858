"""S11, S12, deduplication, lifetime, closed sessions, capacity: each rule worked out by hand."""
import pytest
from loglines import event, fates_of, run, values_of

GAP = {"session__gap": "10", "time__out_of_orderness": "1000", "state__keep": "365d"}
AT_ONCE = dict(GAP, time__out_of_orderness="0", time__window_lateness="1")
HOUR, DAY = 3600000, 86400000


def sessions_of(lines, key=b"k", **values):
    """(start, last, id, events) of each session of a key."""
    shard = run(lines, {}, **dict(GAP, **values))[0].shards[0]
    return sorted((s.start, s.last, s.id, s.count) for s in shard.keys[key].sessions)


# S11: kind "end" ends a session

def ended(*times, **values):
    """Sessions of events at these times; a negative time stands for an end event."""
    lines = [event(abs(ts), kind="end" if ts < 0 else "") for ts in times]
    return sessions_of(lines, session__end_when="kind == 'end'", **values)


def test_an_end_closes_for_greater_events_only():
    assert ended(100, -105, 107) == [(100, 105, 0, 2), (107, 107, 2, 1)]
    assert ended(100, -105, 103) == [(100, 105, 0, 3)]
    assert ended(-100) == [(100, 100, 0, 1)]


def test_events_at_the_same_time_as_the_end_go_by_offset():
    assert ended(-100, 100) == [(100, 100, 0, 1), (100, 100, 1, 1)]
    assert ended(100, -100) == [(100, 100, 0, 2)]


def test_two_ends():
    """A greater end cannot join; a smaller one does and the greatest stays the end."""
    assert ended(-100, -105) == [(100, 100, 0, 1), (105, 105, 1, 1)]
    assert ended(-105, -100, 103) == [(100, 105, 0, 3)]


def test_no_session_is_taken_apart():
    """The end comes late, below an event that has joined: that one stays, the next opens."""
    assert ended(100, 108, -104) == [(100, 108, 0, 3)]
    assert ended(100, 108, -104, 106) == [(100, 108, 0, 3), (106, 106, 3, 1)]


def test_an_end_parts_two_sessions():
    # [100 end] and [107]: an event at 99 is within the gap of both and joins the earlier one
    assert ended(-100, 107, 99) == [(99, 100, 0, 2), (107, 107, 1, 1)]
    # without an end between them they merge, and the end event itself may part them
    assert ended(100, 115, 108) == [(100, 115, 0, 3)]
    assert ended(100, 115, -108) == [(100, 108, 0, 2), (115, 115, 1, 1)]
    # an end that is above the later one's start parts nothing
    assert ended(100, 115, 120, -118) == [(100, 100, 0, 1), (115, 120, 1, 3)]
    assert ended(100, 115, -118, 108) == [(100, 118, 0, 4)]


def test_an_end_before_a_session_joins_it():
    assert ended(100, -95) == [(95, 100, 0, 2)]
    assert ended(100, -95, 97) == [(95, 100, 0, 2), (97, 97, 2, 1)]


def test_the_deadline_is_the_gaps_also_after_an_end():
    lines = [event(100, kind="end"), event(110, "o")]
    values = values_of(lines, {"open": {"op": "session_is_open"}},
                       **dict(AT_ONCE, session__end_when="kind == 'end'"))
    assert values == {"open": True}


# S12: item is the tracker's session id

def test_tracker_ids_part_sessions():
    lines = [event(0, item="a"), event(1, item="b"), event(2, item="a"), event(3)]
    assert sessions_of(lines, session__id="item") == [(0, 2, 0, 2), (1, 1, 1, 1), (3, 3, 3, 1)]


def test_the_newest_session_is_over_all_trackers():
    """Largest last, then larger id; null is an id of its own."""
    features = {"id": {"op": "session_id"}, "n": {"op": "session_number"},
                "before": {"op": "prev_session_gap"}}
    tracked = dict(GAP, session__id="item")
    lines = [event(0, item="a"), event(5, item="b"), event(9, item="a")]
    assert values_of(lines, features, **tracked) == {"id": 0, "n": 1, "before": None}
    assert values_of(lines + [event(9)], features, **tracked) == \
        {"id": 3, "n": 3, "before": 4}


def test_the_newest_session_after_a_merge():
    """[0, 20] of a (id 0, merged from 0 and 1) and [20] of b (id 2) have the same last."""
    tracked = dict(GAP, session__id="item")
    lines = [event(0, item="a"), event(20, item="a"), event(20, item="b"), event(10, item="a")]
    assert values_of(lines, {"id": {"op": "session_id"}}, **tracked) == {"id": 2}


# Deduplication: item is the event's id

DEDUP = dict(AT_ONCE, event__id="item", event__dedup_window="100", time__window_lateness="1h")


def test_duplicates_per_key():
    lines = [event(0, item="x"), event(0, item="x"), event(0, "o", item="x"), event(1), event(1),
             event(5, item="x")]
    assert fates_of(lines, **DEDUP) == ["applied", "duplicate", "applied", "applied", "applied",
                                        "duplicate"]


@pytest.mark.parametrize("watermark,fate", [(100, "duplicate"), (101, "applied")])
def test_an_id_is_remembered_until_the_watermark_passes(watermark, fate):
    lines = [event(0, item="x"), event(watermark, "o"), event(watermark, item="x")]
    assert fates_of(lines, **DEDUP)[2] == fate


def test_a_duplicate_advances_the_watermark_but_is_not_remembered_again():
    lines = [event(0, item="x"), event(100, item="x"), event(101, item="x")]
    assert fates_of(lines, **DEDUP) == ["applied", "duplicate", "applied"]


def test_the_window_counts_from_the_time_after_clamping():
    lines = [event(999, item="x", _timestamp=0), event(100, "o"), event(100, item="x"),
             event(101, item="x")]
    assert fates_of(lines, **dict(DEDUP, time__max_future_skew="10")) == [
        "applied", "applied", "duplicate", "applied"]


def test_ids_outlive_the_key():
    few = dict(DEDUP, state__keep="0", event__dedup_window="1h")
    lines = [event(0, item="x"), event(50, "o"), event(50, item="x"), event(50, item="y")]
    judge, _ = run(lines[:2], {}, **few)
    assert b"k" not in judge.shards[0].keys
    assert fates_of(lines, **few) == ["applied", "applied", "duplicate", "applied"]


def test_rejected_events_are_not_remembered():
    few = dict(DEDUP, state__max_keys="1", time__window_lateness="1", state__keep="0")
    lines = [event(20, "o"), event(20, item="x"), event(100, "o"), event(60, "o", item="y"),
             event(111, "p", item="y"), event(111, item="x"), event(130, item="x")]
    assert fates_of(lines, **few) == ["applied", "over_capacity", "applied", "late", "applied",
                                      "over_capacity", "applied"]


def test_windows_only_events_are_remembered():
    lines = [event(200, "o"), event(150, item="x"), event(200, item="x")]
    assert fates_of(lines, **DEDUP) == ["applied", "windows_only", "duplicate"]


def test_ids_beyond_the_bound_are_not_remembered():
    few = dict(DEDUP, event__dedup_max="1")
    lines = [event(0, item="x"), event(0, item="y"), event(0, item="y"), event(0, item="x"),
             event(101, item="y"), event(101, item="y")]
    assert fates_of(lines, **few) == ["applied", "applied", "applied", "duplicate", "applied",
                                      "duplicate"]


def test_the_order_of_the_last_fates():
    """late before duplicate before over_capacity; filtered before all of them."""
    few = dict(DEDUP, state__max_keys="1", time__window_lateness="1", state__keep="0",
               event__where="kind != 'bot'")
    lines = [event(0, item="x"), event(50, "o"), event(40, item="x", kind="bot"),
             event(38, item="x"), event(45, item="x"), event(45, item="z")]
    assert fates_of(lines, **few) == ["applied", "applied", "filtered", "late", "duplicate",
                                      "over_capacity"]


# Lifetime, keep

def test_lifetime_never_leaves_and_keeps_the_key():
    few = dict(AT_ONCE, state__keep="0")
    features = {"all": {"op": "sum(n)", "over": "lifetime"}, "n": {"op": "session_number"},
                "day": {"op": "sum(n)", "over": "1d"}}
    lines = [event(0, n=1), event(400 * DAY, "o"), event(400 * DAY, n=2)]
    assert values_of(lines, features, **few) == {"all": 3, "n": 2, "day": 2}
    del features["all"]
    assert values_of(lines, features, **few) == {"n": 1, "day": 2}


def test_decayed_sum_keeps_the_key():
    features = {"d": {"op": "decayed_sum(n, 1d)"}, "n": {"op": "session_number"}}
    lines = [event(0, n=1), event(400 * DAY, "o"), event(400 * DAY, n=2)]
    assert values_of(lines, features, **dict(AT_ONCE, state__keep="0")) == {"d": 2.0, "n": 2}


# on = session

CLOSED = {"mean": {"op": "mean(session_duration)", "on": "session", "over": "1d"},
          "by_hour": {"op": "count", "on": "session", "over": "lifetime",
                      "by": "hour_of_day(session_start)"}}


def closed(op, lines, over="lifetime", values=AT_ONCE, **more):
    return values_of(lines, {"f": {"op": op, "on": "session", "over": over, **more}},
                     **values)["f"]


@pytest.mark.parametrize("watermark,count", [(14, 0), (15, 0), (16, 1)])
def test_a_closed_session_counts_once_it_is_immutable(watermark, count):
    """Last 4, gap 10, lateness 1: immutable when the watermark is beyond 15."""
    late = dict(AT_ONCE, session__lateness="1")
    lines = [event(0), event(4), event(watermark, "o")]
    assert closed("count", lines, values=late) == count
    # as_of alone does not do it
    lines[2] = {"@op": "idle", "as_of": watermark}
    assert closed("count", lines, values=late) == 0


def test_what_a_closed_session_shows():
    lines = [event(5), event(8), event(20), event(31, "o")]     # [5, 8] and [20]
    assert closed("sum(session_duration)", lines) == 3
    assert closed("last_n(session_event_count, 9)", lines) == [1, 2]
    assert closed("first_n(mean_gap, 9)", lines) == [3.0]
    assert closed("last_n(session_id, 9)", lines) == [2, 0]
    assert closed("last_n(ts, 9)", lines) == [20, 8]
    assert closed("time_of_last", lines) == 20
    assert closed("count", lines, where="session_last - session_start > 0") == 1
    assert closed("sum(session_start)", lines, by="session_event_count == 1") == \
        {"false": 5, "true": 20}


def test_closed_sessions_are_in_the_window_by_their_last():
    """W 60 s, hop 1 s: [0, 30000] leaves between 90001 and 91000, [0] alone earlier."""
    wide = dict(AT_ONCE, session__gap="30s", time__window_lateness="1h")
    for as_of, count in ((89999, 1), (91001, 0)):
        lines = [event(0), event(30000), event(60001, "o"), {"@op": "idle", "as_of": as_of}]
        assert closed("count", lines, "60s", wide) == count


def test_sessions_are_ordered_by_last_then_id():
    tracked = dict(AT_ONCE, session__id="item")
    lines = [event(9, item="a"), event(9, item="b"), event(7, item="c"), event(20, "o")]
    assert closed("last_n(session_id, 9)", lines, values=tracked) == [1, 0, 2]


def test_merged_sessions_count_once():
    lines = [event(0), event(20), event(10), event(5000, "o")]
    assert closed("last_n(session_event_count, 9)", lines, values=GAP) == [3]


def test_a_closed_sessions_pane_keeps_the_key():
    """keep 0: forgotten after [0]'s deadline, but for the window over closed sessions."""
    few = dict(AT_ONCE, state__keep="0")
    number = {"n": {"op": "session_number"}}
    both = dict(number, c={"op": "count", "on": "session", "over": "60s"})
    lines = [event(0), event(59000)]
    assert values_of(lines, number, **few)["n"] == 1
    assert values_of(lines, both, **few)["n"] == 2
    lines[1] = event(61001)
    assert values_of(lines, both, **few)["n"] == 1


def test_max_age_comes_before_the_watermark_and_the_filter():
    age = dict(AT_ONCE, time__max_age="100", event__where="kind != 'bot'")
    lines = [event(0, _timestamp=101, kind="bot"), event(1, _timestamp=101, kind="bot")]
    assert fates_of(lines, **age) == ["too_old", "filtered"]
    assert run(lines, {}, **age)[0].shards[0].raw == 1
