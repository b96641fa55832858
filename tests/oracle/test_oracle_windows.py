"""Windows and operators, with expectations worked out by hand."""
import random
from fractions import Fraction

import feature_set
import kept
import operators
import xxhash
from loglines import event, run, values_of
import pytest

SECOND, MINUTE, HOUR, DAY = 1000, 60000, 3600000, 86400000


def over(op, window="session", **more):
    return {"f": {"op": op, "over": window, **more}}


def value_of(op, rows, window="session", key="k", **more):
    lines = [event(ts, key, **fields) for ts, fields in rows]
    return values_of(lines, over(op, window, **more), key.encode())["f"]


@pytest.mark.parametrize("window,hop", [
    (5 * MINUTE, 5 * SECOND), (HOUR, MINUTE), (DAY, 30 * MINUTE), (7 * DAY, 3 * HOUR),
    (30 * DAY, 12 * HOUR), (48 * DAY, DAY), (SECOND, SECOND), (1500, 1000),
    (48 * SECOND, SECOND), (240 * SECOND, 5 * SECOND), (47 * SECOND, SECOND)])
def test_hop_ladder(window, hop):
    assert feature_set.hop_of(window) == hop


def test_phase():
    assert kept.phase_of(b"") == 0xEF46DB3751D8E999 % DAY      # XXH64 of nothing
    assert kept.phase_of(b"u1") == xxhash.xxh64_intdigest(b"u1", 0) % DAY


def test_sawtooth_tail():
    """W 60 s has hop 1 s: the pane of an event leaves whole, phase and hop decide when."""
    phase = kept.phase_of(b"k")
    start = 10 * DAY + phase                    # a pane begins here
    for ts, leaves in ((start, start + 61000), (start + 999, start + 61000),
                       (start - 1, start + 60000)):
        for as_of, count in ((leaves - 1, 1), (leaves, 0)):
            lines = [event(ts), {"@op": "idle", "as_of": as_of}]
            assert values_of(lines, over("count", "60s"))["f"] == count
    assert kept.tail_of(start, 60000, 1000, phase) == start - 60000
    assert kept.pane_end(start - 1, 1000, phase) == start
    assert kept.pane_end(start, 1000, phase) == start + 1000


def test_head_is_exact():
    """An event ahead of as_of counts."""
    lines = [event(400000, _timestamp=200000)]
    assert values_of(lines, over("count", "5m"), time__max_future_skew="5m")["f"] == 1


def test_hop_can_be_set():
    lines = [event(DAY), {"@op": "idle", "as_of": DAY + 60000 + 29999}]
    assert values_of(lines, over("count", "60s", hop="1d"))["f"] == 1


def test_windows_only_events_count_in_windows():
    lines = [event(0, "o"), event(HOUR, "o"), event(HOUR - 31 * MINUTE), event(HOUR)]
    features = {"w": {"op": "count", "over": "1h"}, "s": {"op": "count", "over": "session"}}
    values = values_of(lines, features, time__out_of_orderness="0")
    assert values == {"w": 2, "s": 1}


ROWS = [(3000, {"value": 1.5, "n": 4, "item": "b"}),
        (1000, {"value": None, "n": -2, "item": "a"}),
        (2000, {"value": -0.25, "n": None, "item": None}),
        (3000, {"value": 8, "n": 9, "item": "a"})]


@pytest.mark.parametrize("op,wanted", [
    ("count", 4), ("count(n)", 3), ("sum(n)", 11), ("sum(value)", 9.25), ("mean(n)", 11 / 3),
    ("mean(value)", 9.25 / 3), ("min(n)", -2), ("max(value)", 8.0), ("min(value * n)", 6.0),
    ("first(n)", -2), ("last(n)", 9), ("first(value)", -0.25), ("last(item)", "a"),
    ("last_n(n, 2)", [9, 4]), ("last_n(item, 9)", ["a", "b", "a"]),
    ("last_distinct(item, 9)", ["a", "b"]), ("last_distinct(item, 1)", ["a"]),
    ("distinct(item)", 2), ("distinct(ts)", 3), ("first(n > 0)", False)])
def test_operators(op, wanted):
    for window in ("session", "1h"):
        value = value_of(op, ROWS, window)
        assert value == wanted and type(value) is type(wanted)


@pytest.mark.parametrize("op,empty", [
    ("count", 0), ("sum(value)", 0.0), ("sum(n)", 0), ("distinct(item)", 0), ("mean(n)", None),
    ("min(n)", None), ("first(item)", None), ("last_n(item, 3)", None),
    ("last_distinct(item, 3)", None)])
def test_nothing(op, empty):
    value = value_of(op, [(0, {})], where="false")
    assert value == empty and type(value) is type(empty)


@pytest.mark.parametrize("op,text,wanted", [
    ("mean(n)", "-1", -1.0), ("count", "null", None), ("last(item)", '"none"', "none"),
    ("min(n)", "5", 5), ("last(n > 0)", "false", False)])
def test_default(op, text, wanted):
    value = value_of(op, [(0, {})], where="false", default=text)
    assert value == wanted and type(value) is type(wanted)


def test_where_filters_events():
    rows = [(0, {"n": 1}), (1, {"n": 2}), (2, {})]
    assert value_of("count", rows, where="n > 1") == 1
    assert value_of("count", rows, where="not n > 1") == 2


def test_ratio():
    features = {"a": {"op": "count", "over": "session", "where": "n == 1"},
                "b": {"op": "count", "over": "session"},
                "r": {"op": "ratio(a, b, alpha = 1, beta = 20)"}, "q": {"op": "ratio(a, b)"},
                "m": {"op": "mean(n)", "over": "session"}, "z": {"op": "ratio(m, b)"}}
    lines = [event(0, n=1), event(1), event(2)]
    values = values_of(lines, features)
    assert (values["r"], values["q"], values["z"]) == (2 / 24, 1 / 3, 1 / 3)
    lines.append({"@op": "idle", "as_of": 2 * DAY})
    values = values_of(lines, features)
    assert (values["r"], values["q"], values["z"]) == (1 / 21, None, None)


def test_all_empty_is_seen():
    features = {"a": {"op": "count", "over": "60s"}, "r": {"op": "ratio(a, a, alpha = 1)"},
                "open": {"op": "session_is_open"}, "m": {"op": "last_n(n, 2)", "over": "60s"}}
    lines = [event(0, n=1)]
    assert not run(lines, features)[1][0, b"k"][0].empty
    lines.append({"@op": "idle", "as_of": 3 * DAY})
    assert run(lines, features)[1][0, b"k"][0].empty


def test_fixed_point_sums():
    rng = random.Random(3)
    values = [rng.uniform(-1e6, 1e6) * 10 ** rng.randint(-12, 6) for _ in range(500)]

    def slow(value):
        return round(Fraction(value) * 2 ** 40)
    assert [operators.to_fixed(value) for value in values] == [slow(value) for value in values]
    assert operators.to_fixed(2.0 ** -41) == 0 and operators.to_fixed(3 * 2.0 ** -41) == 2
    assert operators.to_fixed(1e300) == 2 ** 102 and operators.to_fixed(-1e300) == -2 ** 102
    total = sum(map(slow, values))
    assert sum(map(operators.to_fixed, values)) / operators.SCALE == \
        float(Fraction(total, 2 ** 40))
    assert value_of("sum(value)", [(i, {"value": v}) for i, v in enumerate((0.1, 0.2, 0.3))]) \
        == float(Fraction(slow(0.1) + slow(0.2) + slow(0.3), 2 ** 40))


def test_long_sums_are_exact_and_clamped():
    big = (1 << 63) - 1
    assert value_of("sum(n)", [(0, {"n": big}), (1, {"n": big}), (2, {"n": -big})]) == big
    assert value_of("sum(n)", [(0, {"n": big}), (1, {"n": 1})]) == big
    assert value_of("mean(n)", [(0, {"n": big}), (1, {"n": big})]) == float(2 * big) / 2


def distinct_of(values):
    hashes = [operators.member("string", None)(value, 0) for value in values]
    return operators.distinct_of(hashes, None)


def test_distinct_up_to_the_cap_and_beyond():
    values = [f"i{i}" for i in range(1024)]
    assert distinct_of(values * 2) == 1024
    for size in (1025, 5000, 20000, 100000):
        found = distinct_of([f"i{i}" for i in range(size)])
        assert abs(found - size) / size < 0.05
        again = [f"i{i}" for i in reversed(range(size))]
        assert found == distinct_of(again)


def test_hyperloglog_registers():
    """Hashes made by hand: register 5 with rank 1, and register 7 with a zero remainder."""
    hashes = {(5 << 52) | 1 << 51, 7 << 52}
    zeros, m = 4094, 4096
    assert operators.estimate(hashes) == round(m * operators.math.log(m / zeros))


def test_canonical_bytes():
    assert operators.canonical("é") == b"\xc3\xa9" and operators.canonical(b"\x00") == b"\x00"
    assert operators.canonical(-2) == b"\xfe" + b"\xff" * 7
    assert operators.canonical(True) == b"\x01" + b"\x00" * 7
    assert operators.canonical(-0.0) == b"\x00" * 8


def test_longs_and_keys():
    features = over("count", "1h")
    _, rows = run([event(0, "a", _partition=1), event(0, "b")], features)
    assert sorted(rows) == [(0, b"b"), (1, b"a")]
    assert rows[1, b"a"][1] == 0
