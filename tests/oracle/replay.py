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


class Replay:
    """Rows as dicts. `kinds` are those wanted; `idle` rows come with offset None."""

    def __init__(self, settings, kinds=("event",), features=None, reader=None):
        self.oracle = Oracle(settings, features, reader, watch_closing="close" in kinds)
        self.kinds = set(kinds)
        self.evaluator = self.oracle.evaluator
        self.moments = {}       # partition -> Moments
        self.times = []         # asked of every shard
        self.points = {}        # partition -> [(offset, as_of, key, ask)], by offset
        self.made = []

    def rows(self, lines):
        """All rows of the lines, in order."""
        records = from_json_lines(lines, self.oracle.reader, self._idle)
        for partition, offset, rts, read in records:
            yield from self._take()
            shard = self._shard(partition)
            self._points(partition, shard, offset)
            self._consume(partition, shard, offset, rts, read)
        for partition, shard in sorted(self.oracle.shards.items()):
            self._points(partition, shard, None)
            for t, key, ask in self._moments(partition).at_end(shard.keys):
                self._at(partition, shard, t, key, ask)
        yield from self._take()

    def ask_times(self, times):
        """Rows of every living key at these times (`--as-of`)."""
        self.times = [(t, None) for t in times]

    def ask_label(self, partition, key, t, ask):
        """A row of one key at a time (`--labels`); ask comes back in the row."""
        self._moments(partition).add(t, key, ask)

    def ask_points(self, points):
        """(partition, last applied offset, as_of, key, ask) (`--at`)."""
        for partition, offset, as_of, key, ask in points:
            self.points.setdefault(partition, []).append((offset, as_of, key, ask))
        for entries in self.points.values():
            entries.sort(key=lambda entry: entry[0], reverse=True)

    def _take(self):
        made, self.made = self.made, []
        return made

    def _shard(self, partition):
        if partition not in self.oracle.shards:
            for t, ask in self.times:
                self._moments(partition).add(t, None, ask)
        return self.oracle.shard(partition)

    def _moments(self, partition):
        return self.moments.setdefault(partition, Moments())

    def _points(self, partition, shard, offset):
        """Points whose prefix ends before this offset (None: all that are left)."""
        left = self.points.get(partition)
        while left and (offset is None or left[-1][0] < offset):
            at, as_of, key, ask = left.pop()
            self._add("at", partition, shard, at, key, as_of, None, ask=ask)

    def _at(self, partition, shard, t, key, ask):
        self._add("as_of", partition, shard, None, key, t - 1, None, t=t, ask=ask)

    def _idle(self, partition, as_of):
        shard = self._shard(partition)
        self._closed(partition, shard, None, shard.idle(as_of))

    def _consume(self, partition, shard, offset, rts, read):
        pre = []

        def before(key, ts, raw):
            for t, name, ask in self._moments(partition).before(key, ts, raw, shard.keys):
                self._at(partition, shard, t, name, ask)
            if "pre_event" in self.kinds:
                as_of = max(ts if shard.raw is None else shard.raw, ts)
                pre.append(self._row("pre_event", partition, shard, offset, key, as_of))
        outcome = shard.consume(offset, rts, read, before)
        accepted = outcome.fate in ("applied", "windows_only")
        if accepted:
            self.made += pre
        if "fate" in self.kinds:
            self.made.append({"kind": "fate", "partition": partition, "offset": offset,
                              "key": outcome.key, "fate": outcome.fate,
                              "watermark": shard.watermark})
        self._closed(partition, shard, offset, outcome.closed)
        key, session = outcome.key, outcome.session
        for other in outcome.replaced:
            self._add("retract", partition, shard, offset, key, shard.as_of, other)
        if session is not None and (outcome.made or outcome.corrected):
            self._add("correction" if outcome.corrected else "open", partition, shard, offset,
                      key, shard.as_of, session)
        if accepted:
            self._add("event", partition, shard, offset, key, shard.as_of, None)

    def _closed(self, partition, shard, offset, closed):
        for key, _, session in closed:
            self._add("close", partition, shard, offset, key, shard.as_of, session)

    def _add(self, kind, partition, shard, offset, key, as_of, session, **more):
        if kind in self.kinds or more:
            self.made.append(self._row(kind, partition, shard, offset, key, as_of, session, more))

    def _row(self, kind, partition, shard, offset, key, as_of, session=None, more=()):
        state = shard.keys.get(key) or KeyState()
        row = self.evaluator.row(key, state, as_of, session)
        made = {"kind": kind, "key": key, "as_of": as_of, "watermark": shard.watermark,
                "partition": partition, "offset": offset, "rev": row.rev,
                "features": row.values, **dict(more)}
        if session is not None:
            made["session"] = {"id": session.id, "start": session.start, "last": session.last,
                               "open": not self.evaluator.is_closed(session, as_of),
                               "count": session.count}
        return made


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
