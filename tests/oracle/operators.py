"""The operators: what one event contributes, and the value of contributions in (ts, offset) order.

A contribution is made when the event is accepted; `combine(items, feature)` sees all of a window
or a session at once, never an empty list.
"""
import math
import struct
from collections import Counter

import xxhash

SCALE = 1 << 40
BOUND = float(1 << 62)
EXACT_MEMBERS = 1024
HLL_BITS = 12
GAMMA = 1.01 / 0.99
EPOCHS = 63
MAX_LIST = 1 << 31
LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1


def rounded(value):
    """To 12 significant digits: what has passed through libm."""
    return float(f"{value:.12g}")


def to_fixed(value):
    """A double as a whole number of 2^-40, rounded to nearest, ties to even."""
    return round(max(-BOUND, min(BOUND, value)) * SCALE)


def canonical(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return struct.pack("<d", value + 0.0)       # -0 becomes +0
    return struct.pack("<q", value)


# What an event contributes: functions of (the argument's kind, the operator's parameter) that
# give a function of (value, ts).

def value_itself(kind, parameter):
    return lambda value, ts: value


def event_time(kind, parameter):
    return lambda value, ts: ts


def addend(kind, parameter):
    if kind == "long":
        return lambda value, ts: value
    return lambda value, ts: to_fixed(value)


def addend_and_square(kind, parameter):
    def both(value, ts):
        value = float(value)
        return to_fixed(value), to_fixed(value * value)
    return both


def member(kind, parameter):
    return lambda value, ts: xxhash.xxh64_intdigest(canonical(value), 0)


def bucket(kind, parameter):
    """(sign, sign * i): buckets in ascending order of what they hold."""
    def place(value, ts):
        size = min(abs(float(value)), BOUND)
        if size < 2.0 ** -40:
            return 0, 0
        i = math.ceil(math.log(size) / math.log(GAMMA))
        return (1, i) if value > 0 else (-1, -i)
    return place


def decaying(kind, half_life):
    """(epoch, addend as it stood at the epoch's start, ts)"""
    def place(value, ts):
        epoch = ts // half_life
        grown = float(value) * math.exp2((ts - epoch * half_life) / half_life)
        return epoch, to_fixed(grown), ts
    return place


# The value of all contributions.

def count_of(items, feature):
    return len(items)


def sum_of(items, feature):
    if feature.argument_kind == "long":
        return max(LONG_MIN, min(LONG_MAX, sum(items)))
    return sum(items) / SCALE       # int / int is the nearest double


def mean_of(items, feature):
    total = sum(items)
    return (float(total) if feature.argument_kind == "long" else total / SCALE) / len(items)


def variance(items):
    n = len(items)
    one = sum(item[0] for item in items)
    two = sum(item[1] for item in items)
    return max(0, n * two * SCALE - one * one) / (n * n * SCALE * SCALE)


def var_of(items, feature):
    return rounded(variance(items))


def stddev_of(items, feature):
    return rounded(math.sqrt(variance(items)))


def smallest(items, feature):
    return min(items)


def greatest(items, feature):
    return max(items)


def oldest(items, feature):
    return items[0]


def newest(items, feature):
    return items[-1]


def oldest_n(items, feature):
    return items[:feature.parameter]


def newest_n(items, feature):
    return items[:-feature.parameter - 1:-1]


def newest_distinct(items, feature):
    seen, found = set(), []
    for value in reversed(items):
        if value not in seen:
            seen.add(value)
            found.append(value)
            if len(found) == feature.parameter:
                break
    return found


def distinct_of(items, feature):
    members = set(items)
    return len(members) if len(members) <= EXACT_MEMBERS else estimate(members)


def estimate(hashes):
    """HyperLogLog over 64-bit hashes."""
    m = 1 << HLL_BITS
    registers = [0] * m
    for value in hashes:
        rest = (value << HLL_BITS) & ((1 << 64) - 1)
        rank = min(1 + 64 - rest.bit_length(), 64 - HLL_BITS + 1)
        index = value >> (64 - HLL_BITS)
        registers[index] = max(registers[index], rank)
    result = 0.7213 / (1 + 1.079 / m) * m * m / sum(2.0 ** -r for r in registers)
    zeros = registers.count(0)
    if result <= 2.5 * m and zeros:
        result = m * math.log(m / zeros)
    return round(rounded(result))


def most_frequent(items, feature):
    counts = Counter(items)
    return sorted(counts, key=lambda value: (-counts[value], value))[:feature.parameter]


def entropy_of(items, feature):
    counts, total = Counter(items), 0.0
    for value in sorted(counts):
        share = counts[value] / len(items)
        total += share * math.log2(share)
    return rounded(-total)


def quantile_of(items, feature):
    sign, i = sorted(items)[math.floor(feature.parameter * (len(items) - 1))]
    return rounded(sign * 2 * GAMMA ** (sign * i) / (GAMMA + 1)) if sign else 0.0


def decayed_sum_of(items, feature):
    half_life = feature.parameter
    last = max(item[2] for item in items)
    now, sums, total = last // half_life, {}, 0.0
    for epoch, fixed, _ in items:
        if epoch >= now - EPOCHS:
            sums[epoch] = sums.get(epoch, 0) + fixed
    for epoch in sorted(sums):
        total += sums[epoch] / SCALE * 2.0 ** (epoch - now)
    return rounded(total * math.exp2(-(last - now * half_life) / half_life))


class Operator:
    """One row of the table. `kind` None is the argument's own; `bounded`: a pane keeps so many
    different values; `empty` is the value when there is nothing."""

    def __init__(self, contribute, combine, kind=None, parameter=None, listed=False,
                 numeric=False, bare=False, bounded=False, empty=None):
        self.contribute, self.combine, self.kind = contribute, combine, kind
        self.parameter = parameter      # None, "count", "fraction" or "duration"
        self.listed, self.numeric, self.bare = listed, numeric, bare
        self.bounded, self.empty = bounded, empty


TABLE = {
    "count": Operator(value_itself, count_of, "long", bare=True, empty=0),
    "sum": Operator(addend, sum_of, numeric=True, empty=0),
    "mean": Operator(addend, mean_of, "double", numeric=True),
    "min": Operator(value_itself, smallest, numeric=True),
    "max": Operator(value_itself, greatest, numeric=True),
    "var": Operator(addend_and_square, var_of, "double", numeric=True),
    "stddev": Operator(addend_and_square, stddev_of, "double", numeric=True),
    "first": Operator(value_itself, oldest),
    "last": Operator(value_itself, newest),
    "first_n": Operator(value_itself, oldest_n, parameter="count", listed=True),
    "last_n": Operator(value_itself, newest_n, parameter="count", listed=True),
    "last_distinct": Operator(value_itself, newest_distinct, parameter="count", listed=True),
    "distinct": Operator(member, distinct_of, "long", empty=0),
    "top_k": Operator(value_itself, most_frequent, parameter="count", listed=True, bounded=True),
    "entropy": Operator(value_itself, entropy_of, "double", bounded=True),
    "quantile": Operator(bucket, quantile_of, "double", "fraction", numeric=True),
    "decayed_sum": Operator(decaying, decayed_sum_of, "double", "duration", numeric=True),
    "time_of_first": Operator(event_time, oldest, "long", bare=True),
    "time_of_last": Operator(event_time, newest, "long", bare=True),
}


def parse_parameter(kind, text, duration):
    """The operator's second argument; ValueError when it is not of its kind."""
    text = text.strip()
    if kind == "count":
        value = int(text)
        good = 1 <= value < MAX_LIST
    elif kind == "fraction":
        value = float(text)
        good = 0 <= value <= 1
    else:
        value = duration(text)
        good = value > 0
    if not good:
        raise ValueError(f"{text} is out of range")
    return value
