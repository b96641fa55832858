#!/usr/bin/env python3
"""The rows that `freshet replay` makes of JSON lines, in the order in which they come to be."""
import argparse
import heapq
import json
import sys

import settings as settings_file
from kept import KeyState
from oracle import Oracle
from rows_check import text_of
from sources import from_json_lines

# Fates that are judged before the key is known.
NO_KEY_YET = ("replayed", "tombstone", "oversize", "unknown_schema", "undecodable", "bad_time",
              "no_key")
KINDS = ("pre_event", "event", "open", "close", "correction", "retract", "fate")


class Moments:
    """Times for which rows are asked of one shard: of all its keys, or of one (labels).

    A row for t is taken before the first record that brings raw to t, or before the key's first
    record with ts >= t, at as_of = t - 1.
    """

    def __init__(self):
        self.heap, self.number = [], 0      # (t, number, key or None, ask, keys that are done)
        self.by_key = {}                    # key -> its entries of the heap
        self.of_all = []                    # entries of all keys

    def add(self, t, key, ask):
        """key None: every living key. The caller's ask comes back with the row."""
        self.number += 1
        entry = (t, self.number, key, ask, set())
        heapq.heappush(self.heap, entry)
        if key is None:
            self.of_all.append(entry)
        else:
            self.by_key.setdefault(key, []).append(entry)

    def before(self, key, ts, raw, keys):
        """Yields (t, key, ask) of the rows to take before a record; keys are the living ones."""
        while self.heap and self.heap[0][0] <= raw:
            entry = heapq.heappop(self.heap)
            yield from self._rest(entry, keys)
            if entry[2] is None:
                self.of_all.remove(entry)
        for entry in self.of_all + self.by_key.get(key, []):
            if entry[0] <= ts and key not in entry[4]:
                entry[4].add(key)
                if entry[2] is not None or key in keys:
                    yield entry[0], key, entry[3]

    def at_end(self, keys):
        while self.heap:
            yield from self._rest(heapq.heappop(self.heap), keys)

    @staticmethod
    def _rest(entry, keys):
        t, _, key, ask, done = entry
        for name in sorted(keys) if key is None else [key]:
            if name not in done:
                done.add(name)
                yield t, name, ask


class ShardRows:
    """The rows of one partition, made while its shard consumes (it is the shard's `watch`)."""

    def __init__(self, partition, shard, evaluator, kinds):
        self.partition, self.shard = partition, shard
        self.evaluator, self.kinds = evaluator, kinds
        self.moments = Moments()
        self.points = []        # (offset, as_of, key, ask), greatest offset first
        self.last = None        # offset of the last record before this one
        self.offset = None      # of this record; None while idle
        self.pre = None         # this record's pre_event row, if it is accepted
        self.made = []

    def take(self):
        made, self.made = self.made, []
        return made

    def consume(self, offset, rts, read):
        self.take_points(offset)
        self.offset, self.pre = offset, None
        self.told(self.shard.consume(offset, rts, read, self))
        self.last = offset

    def idle(self, as_of):
        self.offset = None
        self.closed(self.shard.idle(as_of))

    def before(self, key, ts, raw):
        """Called by the shard: the record will bring raw there."""
        for t, name, ask in self.moments.before(key, ts, raw, self.shard.keys):
            self.take_moment(t, name, ask)
        if "pre_event" in self.kinds:
            as_of = ts if self.shard.raw is None else max(self.shard.raw, ts)
            self.pre = self.row("pre_event", key, as_of)
            self.made.append(self.pre)

    def closed(self, sessions):
        """Called by the shard: as_of has closed these, the record's event is not in yet."""
        for key, state, session in sessions:
            session.told = True
            if "close" in self.kinds:
                self.made.append(self.row("close", key, session=session, state=state))

    def told(self, outcome):
        """The rest of what the record did."""
        if outcome.fate not in ("applied", "windows_only") and self.pre is not None:
            self.made.remove(self.pre)
        key, session = outcome.key, outcome.session
        for other in outcome.replaced:
            if other.told:
                self.add("retract", key, session=other)
        if session is not None and (outcome.made or outcome.corrected):
            self.add("correction" if outcome.corrected else "open", key, session=session)
            session.told = session.told or outcome.corrected
        if "fate" in self.kinds:
            self.made.append(self.fate(outcome))
        if outcome.fate in ("applied", "windows_only"):
            self.add("event", key)

    def end(self):
        """The rows asked for whose prefix is everything."""
        self.take_points(None)
        for t, key, ask in self.moments.at_end(self.shard.keys):
            self.take_moment(t, key, ask)

    def take_points(self, offset):
        """Points whose prefix ends before this offset (None: all that are left)."""
        while self.points and (offset is None or self.points[-1][0] < offset):
            self.offset, as_of, key, ask = self.points.pop()
            self.made.append({**self.row("at", key, as_of), "ask": ask})

    def take_moment(self, t, key, ask):
        made = self.row("as_of" if ask is None else "label", key, t - 1)
        self.made.append({**made, "offset": self.last, "time": t, "ask": ask})

    def add(self, kind, key, **more):
        if kind in self.kinds:
            self.made.append(self.row(kind, key, **more))

    def row(self, kind, key, as_of=None, session=None, state=None):
        if as_of is None:
            as_of = self.shard.as_of
        made = {"kind": kind, "key": key, "as_of": as_of, "watermark": self.shard.watermark,
                "partition": self.partition, "offset": self.offset}
        if session is not None:
            made["session"] = {"id": session.id, "start": session.start, "last": session.last,
                               "open": not self.evaluator.is_closed(session, as_of),
                               "count": session.count}
        if kind == "retract":       # names the session, states nothing
            return {**made, "rev": session.rev}
        state = state or self.shard.keys.get(key) or KeyState()
        row = self.evaluator.row(key, state, as_of, session)
        return {**made, "rev": row.rev, "features": row.values}

    def fate(self, outcome):
        shard = self.shard
        as_of = None if shard.raw is None and not shard.as_of else shard.as_of
        made = {"kind": "fate", "as_of": as_of, "watermark": shard.watermark,
                "partition": self.partition, "offset": self.offset, "fate": outcome.fate,
                "late_by_ms": None}
        if outcome.fate not in NO_KEY_YET:
            made["key"] = outcome.key
        if outcome.fate in ("late", "windows_only"):
            made["late_by_ms"] = shard.watermark - outcome.ts
        return made


class Replay:
    """Rows as dicts; `kinds` are those wanted. Rows that an idle partition emits have no offset."""

    def __init__(self, settings, kinds=("event",), features=None, reader=None):
        self.kinds = set(kinds)
        self.oracle = Oracle(settings, features, reader,
                             watch_closing=not self.kinds.isdisjoint(("close", "retract")))
        self.shards = {}
        self.times = []         # asked of every shard

    def rows(self, lines):
        """All rows of the lines, in order."""
        reader, idle = self.oracle.reader, lambda partition, t: self.shard(partition).idle(t)
        for partition, offset, rts, read in from_json_lines(lines, reader, idle):
            for rows in self.shards.values():       # what idle ones have emitted
                yield from rows.take()
            rows = self.shard(partition)
            rows.consume(offset, rts, read)
            yield from rows.take()
        for _, rows in sorted(self.shards.items()):
            rows.end()
            yield from rows.take()

    def shard(self, partition):
        if partition not in self.shards:
            rows = ShardRows(partition, self.oracle.shard(partition), self.oracle.evaluator,
                             self.kinds)
            for t in self.times:
                rows.moments.add(t, None, None)
            self.shards[partition] = rows
        return self.shards[partition]

    def ask_times(self, times):
        """Rows of every living key at these times (`--as-of`); to be asked first."""
        self.times = list(times)

    def ask_label(self, partition, key, t, ask):
        """A row of one key at a time (`--labels`); ask comes back in the row."""
        self.shard(partition).moments.add(t, key, ask)

    def ask_points(self, points):
        """(partition, last applied offset, as_of, key, ask) (`--at`)."""
        for partition, *rest in sorted(points, key=lambda point: point[1], reverse=True):
            self.shard(partition).points.append(tuple(rest))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the daemon's INI file")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--input", default="-", help="JSON lines; - = standard input")
    parser.add_argument("--rows", default="event", help="kinds: " + ",".join(KINDS))
    parser.add_argument("--as-of", default="", metavar="MS,...")
    args = parser.parse_args()
    overrides = dict(entry.split("=", 1) for entry in args.set)
    replay = Replay(settings_file.load(args.config, overrides.items()), args.rows.split(","))
    replay.ask_times(int(t) for t in args.as_of.split(",") if t)
    with sys.stdin if args.input == "-" else open(args.input, encoding="utf-8") as file:
        for row in replay.rows(file):
            print(json.dumps(row, default=text_of, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
