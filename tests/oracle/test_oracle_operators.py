"""The operators beyond the first ones, map-valued features and bounds, worked out by hand."""
import math
from fractions import Fraction

import operators
import pytest
from loglines import event, values_of
from operators import GAMMA, rounded

HOUR = 3600000


def value_of(op, rows, window="session", **more):
    """The value of one feature over (ts, fields) rows of key k."""
    lines = [event(ts, **fields) for ts, fields in rows]
    return values_of(lines, {"f": {"op": op, "over": window, **more}})["f"]


ROWS = [(3000, {"value": 1.5, "n": 4, "item": "b"}),
        (1000, {"value": None, "n": -2, "item": "a"}),
        (2000, {"value": -0.25, "n": None, "item": None}),
        (3000, {"value": 8, "n": 9, "item": "a"}),
        (4000, {"value": 4, "n": 9, "item": "é"})]


@pytest.mark.parametrize("op,wanted", [
    ("first_n(n, 2)", [-2, 4]), ("first_n(item, 9)", ["a", "b", "a", "é"]),
    ("time_of_first", 1000), ("time_of_last", 4000), ("time_of_first(value)", 2000),
    ("time_of_last(item == 'b')", 4000), ("top_k(item, 1)", ["a"]),
    ("top_k(item, 3)", ["a", "b", "é"]), ("top_k(n, 9)", [9, -2, 4]),
    ("top_k(value, 2)", [-0.25, 1.5]), ("top_k(n > 4, 2)", [False, True]),
    # counts a 2, b 1, e 1 of 4: 2/4 * 1 + 2 * 1/4 * 2 bits
    ("entropy(item)", 1.5), ("entropy(n is null)", rounded(-0.2 * math.log2(0.2)
                                                           - 0.8 * math.log2(0.8))),
    # n is 4 -2 9 9: mean 5, squares 16 4 81 81 = 182, 182 / 4 - 25 = 20.5
    ("var(n)", 20.5), ("stddev(n)", rounded(math.sqrt(20.5))),
    # value is 1.5 -0.25 8 4: sum 13.25, squares 2.25 0.0625 64 16
    ("var(value)", 82.3125 / 4 - (13.25 / 4) ** 2)])
def test_operators(op, wanted):
    for window in ("session", "1h", "lifetime"):
        value = value_of(op, ROWS, window)
        assert value == wanted and type(value) is type(wanted)


@pytest.mark.parametrize("op", ["first_n(n, 2)", "time_of_first", "time_of_last(n)", "top_k(n, 2)",
                                "entropy(item)", "quantile(n, 0.5)", "var(n)", "stddev(value)"])
def test_nothing_is_null(op):
    assert value_of(op, [(0, {"n": 1, "item": "a", "value": 1})], where="false") is None


def test_entropy_of_one_value_is_zero():
    assert value_of("entropy(item)", [(0, {"item": "a"}), (1, {"item": "a"})]) == 0


def test_variance_is_exact_and_never_negative():
    rows = [(i, {"value": 1e7 + i % 2}) for i in range(10)]
    assert value_of("var(value)", rows) == 0.25
    same = [(i, {"value": 0.1}) for i in range(7)]
    fixed, square = operators.to_fixed(0.1), operators.to_fixed(0.1 * 0.1)
    exact = Fraction(7 * 7 * square, 2 ** 40) - Fraction(7 * fixed, 2 ** 40) ** 2
    assert value_of("var(value)", same) == rounded(float(max(0, exact / 49)))
    assert operators.var_of([(3, 0), (3, 0)], None) == 0
    # an addend and its square are bounded by 2^62
    big = operators.addend_and_square("double", None)(1e200, 0)
    assert big == (2 ** 102, 2 ** 102)


def estimate(i):
    return rounded(2 * GAMMA ** i / (GAMMA + 1))


def test_quantile_buckets():
    """gamma = 1.0202...: ln 10 / ln gamma = 115.12..., so 10 lies in bucket 116."""
    assert operators.bucket("double", None)(10.0, 0) == (1, 116)
    assert operators.bucket("long", None)(-10, 0) == (-1, -116)
    assert operators.bucket("double", None)(1.0, 0) == (1, 0)
    assert operators.bucket("double", None)(2.0 ** -41, 0) == (0, 0)
    assert operators.bucket("double", None)(-1e300, 0) == \
        operators.bucket("double", None)(-2.0 ** 62, 0)
    for value in (0.001, 0.5, 1, 3, 1234567.0):
        found = value_of("quantile(value, 0.5)", [(0, {"value": value})])
        assert abs(found - value) <= 0.01 * value * (1 + 1e-9)


def test_quantile_rank():
    """The first bucket whose cumulative count exceeds q * (n - 1)."""
    rows = [(i, {"n": n}) for i, n in enumerate((10, -10, 0, 10, 100))]
    wanted = {0: -estimate(116), 0.2499: -estimate(116), 0.25: 0.0, 0.4999: 0.0,
              0.5: estimate(116), 0.9999: estimate(116), 1: estimate(231)}
    for q, value in wanted.items():
        assert value_of(f"quantile(n, {q})", rows) == value


def test_decayed_sum():
    """Half-life 1 h: 8 at the epoch's start, 4 an hour later, stated half an hour after that."""
    rows = [(0, {"n": 8}), (HOUR, {"n": 4}), (HOUR * 3 // 2, {"n": 0})]
    assert value_of("decayed_sum(n, 1h)", rows[:1], "lifetime") == 8
    assert value_of("decayed_sum(n, 1h)", rows[:2], "lifetime") == 8
    assert value_of("decayed_sum(n, 1h)", rows, "lifetime") == rounded(8 * 2 ** -0.5)
    # stated at the newest event that counts, whatever came of others
    assert value_of("decayed_sum(n, 1h)", rows[:2] + [(9 * HOUR, {})], "lifetime") == 8
    # an addend in the middle of an epoch is brought to its start, to a multiple of 2^-40
    grown = operators.to_fixed(3 * math.exp2(0.25)) / 2 ** 40
    assert value_of("decayed_sum(n, 1h)", [(HOUR // 4, {"n": 3})], "lifetime") == \
        rounded(grown * math.exp2(-0.25))


def test_decayed_sum_drops_old_epochs():
    rows = [(0, {"n": 1 << 60}), (63 * HOUR, {"n": 1})]
    assert value_of("decayed_sum(n, 1h)", rows, "lifetime") == 1 + 2.0 ** -3
    rows[1] = (64 * HOUR, {"n": 1})
    assert value_of("decayed_sum(n, 1h)", rows, "lifetime") == 1


def test_by_is_a_map():
    rows = [(0, {"item": "b", "n": 1}), (1, {"item": "a", "n": 5}), (2, {"item": "b", "n": 3}),
            (3, {"item": None, "n": 9}), (4, {"item": "c"})]
    value = value_of("sum(n)", rows, by="item")
    assert value == {"a": 5, "b": 4} and list(value) == ["a", "b"]
    assert value_of("count", rows, by="item") == {"a": 1, "b": 2, "c": 1}
    assert value_of("mean(n)", rows, by="n > 2") == {"false": 1.0, "true": 17 / 3}
    assert value_of("count", rows, by="n / 2") == {"0.5": 1, "1.5": 1, "2.5": 1, "4.5": 1}
    assert list(value_of("count", rows, by="0 - n")) == ["-9", "-5", "-3", "-1"]
    assert value_of("count", rows, by="item", where="false") is None
    assert value_of("last(item)", rows, "1h", by="hour_of_day(ts)") == {"0": "c"}


def test_cap_shows_the_most_counted_groups():
    rows = [(i, {"n": n}) for i, n in enumerate((5, 11, 5, 2, 11, 7))]
    assert list(value_of("count", rows, by="n", cap="2")) == ["5", "11"]
    assert list(value_of("count", rows, by="n", cap="3")) == ["2", "5", "11"]
    assert list(value_of("min(n)", rows, by="n", cap="1")) == ["5"]


def test_a_pane_keeps_4096_groups_and_values():
    rows = [(0, {"n": n}) for n in range(4097)] + [(0, {"n": 4096}), (1, {"n": 7})]
    assert value_of("count", rows, "1h", by="n", cap="1") == {"7": 2}
    assert value_of("top_k(n, 1)", rows, "lifetime") == [7]
    assert value_of("entropy(n)", rows, "lifetime") == \
        rounded(-(4095 / 4097 * math.log2(1 / 4097) + 2 / 4097 * math.log2(2 / 4097)))
    # the group that was left out of a full pane has room in the next one
    rows.append((HOUR, {"n": 4096}))
    rows.append((HOUR, {"n": 4096}))
    assert value_of("top_k(n, 2)", rows, "2h") == [7, 4096]
    assert value_of("top_k(n, 1)", rows, "lifetime") == [7]


@pytest.mark.parametrize("op,more", [
    ("sum(item)", {}), ("top_k(item)", {}), ("quantile(n, 1.5)", {}), ("first_n(n, 0)", {}),
    ("decayed_sum(n, 1h)", {"over": "1h"}), ("last_n(n, 2)", {"by": "item"}),
    ("count", {"by": "item", "default": "1"}), ("count", {"by": "item", "cap": "1025"}),
    ("count", {"on": "session", "over": "session"}), ("count(nothing)", {}), ("top(n, 1)", {})])
def test_refused(op, more):
    with pytest.raises(ValueError):
        value_of(op, [], **{"window": more.pop("over", "session"), **more})
