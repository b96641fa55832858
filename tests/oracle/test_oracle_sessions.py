"""Sessions, watermark, fates and forgetting, with expectations worked out by hand."""
import pytest
from loglines import event, fates_of, run, values_of

GAP = {"session__gap": "10", "time__out_of_orderness": "0", "time__window_lateness": "1"}
FRAME = {name: {"op": name} for name in (
    "session_id", "session_number", "session_start", "session_last", "session_duration",
    "session_event_count", "session_is_open", "prev_session_gap", "mean_gap")}


def sessions_of(lines, key=b"k", **values):
    shard = run(lines, {}, state__keep="365d", **values)[0].shards[0]
    return sorted((s.start, s.last, s.id, s.count, s.rev) for s in shard.keys[key].sessions)


def test_inclusive_gap():
    assert sessions_of([event(0), event(10)], **GAP) == [(0, 10, 0, 2, 0)]
    assert sessions_of([event(0), event(11)], **GAP) == [(0, 0, 0, 1, 0), (11, 11, 1, 1, 0)]


def test_merge_keeps_smallest_id():
    slow = dict(GAP, time__out_of_orderness="1s")
    assert sessions_of([event(20), event(0), event(10)], **slow) == [(0, 20, 0, 3, 0)]


def test_lateness_on_the_merged_result():
    """wm 15: ts 4 alone would be late (4 + 10 < 15) but joins [5, 5], live as 5 + 10 >= 15."""
    lines = [event(5), event(15, "other"), event(4)]
    assert fates_of(lines, **GAP) == ["applied"] * 3
    assert sessions_of(lines, **GAP) == [(4, 5, 0, 2, 0)]
    lines = [event(5), event(16, "other"), event(4), event(5, "new"), event(6, "new")]
    assert fates_of(lines, **GAP) == ["applied", "applied", "late", "late", "applied"]


def test_windows_only():
    lines = [event(0), event(100, "other"), event(80), event(79), event(90)]
    wide = dict(GAP, time__window_lateness="20")
    assert fates_of(lines, **wide) == ["applied", "applied", "windows_only", "late", "applied"]


def test_revisions():
    late = dict(GAP, session__lateness="100")
    # made closed: 1; hit while closed: 1 more; hit that opens it again (last 25): still 1 more
    lines = [event(30, "other"), event(15), event(16), event(25)]
    assert sessions_of(lines, **late) == [(15, 25, 1, 3, 3)]
    # merge of two closed ones: 0 + 1, event 1, merge 1
    lines = [event(0), event(40, "other"), event(20), event(10)]
    assert sessions_of(lines, **late) == [(0, 20, 0, 3, 1 + 1 + 1)]


def test_cut_parts_sessions():
    day = 86400000
    four = 4 * 3600000
    lines = [event(day + four - 1), event(day + four)]
    assert [s[:2] for s in sessions_of(lines, session__cut_at="04:00")] == \
        [(day + four - 1,) * 2, (day + four,) * 2]
    assert len(sessions_of(lines, session__cut_at="05:00")) == 1
    zone = dict(session__cut_at="05:00", time__zone_offset="+01:00")
    assert len(sessions_of(lines, **zone)) == 2


def test_frame():
    lines = [event(100), event(130), event(133), event(139)]
    assert values_of(lines, FRAME, **GAP) == {
        "session_id": 1, "session_number": 2, "session_start": 130, "session_last": 139,
        "session_duration": 9, "session_event_count": 3, "session_is_open": True,
        "prev_session_gap": 30, "mean_gap": 4.5}


@pytest.mark.parametrize("as_of,open_,shown", [(149, True, True), (150, False, True),
                                               (1149, False, True), (1150, False, False)])
def test_closed_and_hidden_by_as_of(as_of, open_, shown):
    lines = [event(139), {"@op": "idle", "as_of": as_of}]
    values = values_of(lines, FRAME, state__keep="1s", **GAP)
    assert values["session_is_open"] is open_
    assert values["session_event_count"] == int(shown)
    assert (values["session_start"] is None) == (not shown)


def test_out_of_orderness_delays_closing():
    lines = [event(100), {"@op": "idle", "as_of": 115}]
    values = values_of(lines, FRAME, session__gap="10", time__out_of_orderness="5")
    assert values["session_is_open"] is True


def test_forgetting_begins_a_new_life():
    few = dict(GAP, state__keep="20")
    number = {"n": {"op": "session_number"}}
    at = [event(0), event(30, "o"), event(30)]      # forgotten when watermark > 0 + 10 + 20
    assert values_of(at, number, **few) == {"n": 2}
    after = [event(0), event(31, "o"), event(31)]
    assert values_of(after, number, **few) == {"n": 1}


def test_a_window_keeps_a_key_in_memory():
    """Pane of ts 0 with hop 1 s ends by its phase within 1 s; the window is 60 s."""
    few = dict(GAP, state__keep="0")
    both = {"n": {"op": "session_number"}, "c": {"op": "count", "over": "60s", "where": "n > 0"}}
    assert values_of([event(0, n=1), event(59999)], both, **few)["n"] == 2
    assert values_of([event(0, n=0), event(59999)], both, **few)["n"] == 1
    assert values_of([event(0, n=1), event(61001)], both, **few)["n"] == 1


def test_capacity():
    few = dict(GAP, state__max_keys="1", state__keep="0")
    lines = [event(0, "a"), event(0, "b"), event(1, "a"), event(11, "b"), event(12, "b")]
    assert fates_of(lines, **few) == ["applied", "over_capacity", "applied", "over_capacity",
                                      "applied"]


def test_fates_before_state():
    lines = [event(10, _offset=5), event(10, _offset=5), event(-1), event(10, ""),
             event(10, None), event(253402300800000), event(10, "x" * 513),
             {"@value": None, "@timestamp": 1}, event("a"), event(10, "x" * 512)]
    for number, line in enumerate(lines[2:], 6):
        line["@offset"] = number
    assert fates_of(lines, **GAP) == ["applied", "replayed", "bad_time", "no_key", "no_key",
                                      "bad_time", "no_key", "tombstone", "undecodable",
                                      "applied"]


def test_future_and_age():
    skew = dict(GAP, time__max_future_skew="5")
    lines = [event(15, _timestamp=10), event(16, _timestamp=10)]
    assert fates_of(lines, time__future="reject", **skew) == ["applied", "future"]
    assert sessions_of(lines, **skew) == [(10, 15, 0, 2, 0)]
    age = dict(GAP, time__max_age="100", time__rts_max="1000")
    lines = [event(0, _timestamp=100), event(0, _timestamp=101), event(5, _timestamp=1001)]
    assert fates_of(lines, **age) == ["applied", "too_old", "bad_time"]


def test_raw_is_bounded_by_record_time():
    judge, _ = run([event(15, _timestamp=10), event(3, _timestamp=20), event(9, _timestamp=None)],
                   {}, **GAP)
    assert judge.shards[0].raw == 10


def test_filter_advances_the_watermark():
    lines = [event(100, kind="bot"), event(80)]
    assert fates_of(lines, event__where='kind != "bot"', **GAP) == ["filtered", "late"]
