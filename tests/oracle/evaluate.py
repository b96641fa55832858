"""A key's events and sessions to the values of its row, straight from the definitions."""
import math
import struct
from bisect import bisect_left

import xxhash

DAY_MS = 86400000
SCALE = 1 << 40
BOUND = 1 << 62
EXACT_MEMBERS = 1024
HLL_BITS = 12


def phase_of(key):
    return xxhash.xxh64_intdigest(key, 0) % DAY_MS


def tail_of(as_of, window, hop, phase):
    """Events with ts at or after this are in the window."""
    return (as_of - window - phase) // hop * hop + phase


def pane_end(ts, hop, phase):
    return ((ts - phase) // hop + 1) * hop + phase


def to_fixed(value):
    """A double as a whole number of 2^-40, rounded to nearest, ties to even."""
    return round(max(-float(BOUND), min(float(BOUND), value)) * SCALE)


def sum_of(values, kind):
    """(sum as it is shown, sum for a mean)."""
    if kind == "long":
        exact = sum(values)
        return max(-(1 << 63), min((1 << 63) - 1, exact)), float(exact)
    nearest = sum(map(to_fixed, values)) / SCALE
    return nearest, nearest


def canonical(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return struct.pack("<d", value + 0.0)       # -0 becomes +0
    return struct.pack("<q", value)


def distinct_of(values):
    hashes = {xxhash.xxh64_intdigest(canonical(value), 0) for value in set(values)}
    return len(hashes) if len(hashes) <= EXACT_MEMBERS else estimate(hashes)


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
    return round(float(f"{result:.11e}"))


def newest_distinct(values, limit):
    seen, found = set(), []
    for value in reversed(values):
        if value not in seen:
            seen.add(value)
            found.append(value)
            if len(found) == limit:
                break
    return found


def fold(feature, values, kind):
    """The operator over values in the order of (ts, offset), nulls left out."""
    op = feature.op
    if not values:
        return feature.empty
    if op == "count":
        return len(values)
    if op == "sum":
        return sum_of(values, kind)[0]
    if op == "mean":
        return sum_of(values, "long" if isinstance(values[0], int) else "double")[1] / len(values)
    if op == "min":
        return min(values)
    if op == "max":
        return max(values)
    if op == "first":
        return values[0]
    if op == "last":
        return values[-1]
    if op == "last_n":
        return values[:-feature.limit - 1:-1]
    if op == "last_distinct":
        return newest_distinct(values, feature.limit)
    return distinct_of(values)


def frame(feature, session, sessions, closed_at):
    """A fact of the shown session."""
    op = feature.op
    if op == "session_id":
        return session.id
    if op == "session_number":
        return 1 + sum(other.start < session.start for other in sessions)
    if op == "session_start":
        return session.start
    if op == "session_last":
        return session.last
    if op == "session_duration":
        return session.last - session.start
    if op == "session_event_count":
        return len(session.events)
    if op == "session_is_open":
        return not closed_at
    if op == "prev_session_gap":
        before = [other for other in sessions if other.start < session.start]
        if not before:
            return feature.empty
        return session.start - max(before, key=lambda other: (other.start, other.id)).last
    if len(session.events) < 2:
        return feature.empty
    return (session.last - session.start) / (len(session.events) - 1)


class Row:
    """The values of one key at one as_of."""

    def __init__(self, values, rev, empty):
        self.values, self.rev, self.empty = values, rev, empty


class Evaluator:
    """Rows of a feature set under a configuration."""

    def __init__(self, features, settings):
        self.features = features
        self.gap = settings["session.gap"]
        self.keep = settings["state.keep"]
        self.slack = settings["time.out_of_orderness"]

    def shown(self, state, as_of):
        """The key's newest session, or None when it is no longer shown."""
        if not state.sessions:
            return None
        newest = max(state.sessions, key=lambda s: (s.last, s.id))
        if as_of - self.slack > newest.last + self.gap + self.keep:
            return None
        return newest

    def row(self, key, state, as_of):
        session = self.shown(state, as_of)
        events = sorted(state.events, key=lambda e: (e[0], e[1]))
        times = [event[0] for event in events]
        inside = sorted(session.events, key=lambda e: (e[0], e[1])) if session else []
        phase, values = phase_of(key), {}
        for feature in self.features.features:
            if feature.column is not None:
                if feature.over == "session":
                    part = inside
                elif feature.over == "lifetime":
                    part = events
                else:
                    tail = tail_of(as_of, feature.over, feature.hop, phase)
                    part = events[bisect_left(times, tail):]
                i = feature.column + 2
                chosen = [event[i] for event in part if event[i] is not None]
                values[feature.name] = fold(feature, chosen, feature.kind)
            elif feature.operands is None:
                closed = session and session.last + self.gap < as_of - self.slack
                values[feature.name] = frame(feature, session, state.sessions, closed) \
                    if session else feature.empty
        for feature in self.features.features:
            if feature.operands is not None:
                self._ratio(feature, values)
        empty = all(values[name] == self._empty(feature)
                    for name, feature in self.features.by_name.items())
        return Row(values, session.rev if session else 0, empty)

    def _ratio(self, feature, values):
        if feature.name in values:
            return values[feature.name]
        one, two, alpha, beta = feature.operands
        for name in (one, two):
            if name not in values:
                self._ratio(self.features.by_name[name], values)
        values[feature.name] = ratio(values[one], values[two], alpha, beta, feature.empty)
        return values[feature.name]

    def _empty(self, feature):
        if feature.operands is None:
            return feature.empty
        one, two, alpha, beta = feature.operands
        return ratio(self._empty(self.features.by_name[one]),
                     self._empty(self.features.by_name[two]), alpha, beta, feature.empty)


def ratio(one, two, alpha, beta, empty):
    if one is None or two is None:
        return empty
    divisor = float(two) + alpha + beta
    if divisor == 0:
        return empty
    result = (float(one) + alpha) / divisor
    return result if math.isfinite(result) else empty
