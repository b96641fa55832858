"""`freshet replay` equals the oracle row by row: streams in every disorder, and a real log.

The ordinary run takes 2,000 events a seed, FRESHET_EVENTS up to 100,000.
"""
import json
import os
import random
import sys

import pytest
from harness import TREE, program

ORACLE = TREE / "tests" / "oracle"
sys.path.insert(0, str(ORACLE))
import disorder  # noqa: E402
import nasa  # noqa: E402
import replay_check  # noqa: E402
from kept import KeyState  # noqa: E402
from replay import Replay  # noqa: E402
from settings import Settings  # noqa: E402
from sources import from_json_lines  # noqa: E402

EVENTS = min(int(os.environ.get("FRESHET_EVENTS") or 2000), 100_000)
LOG = os.environ.get("FRESHET_REAL_LOG")
KINDS = ",".join(replay_check.KINDS)


class World:
    """A configuration as the program and as the oracle read it, and its lines in a file."""

    def __init__(self, directory, values, lines):
        self.values = values
        self.config = directory / "replay.ini"
        sections = {}
        for key, value in values.items():
            section, _, name = key.partition(".")
            sections.setdefault(section, []).append(f"{name} = {value}")
        self.config.write_text("\n".join(f"[{section}]\n" + "\n".join(entries) + "\n"
                                         for section, entries in sections.items()))
        self.lines = lines
        self.input, self.output = directory / "in.jsonl", directory / "out.jsonl"
        with open(self.input, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def run(self, *words):
        done = program("freshet", "replay", "-c", self.config, "--input", self.input,
                       "--output", self.output, *words, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    def rows(self, partition=None):
        mark = "" if partition is None else f'"partition":{partition},'
        with open(self.output, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line) if mark in line else {}
                if row and partition in (None, row["partition"]):
                    yield row

    def oracle(self, kinds=replay_check.KINDS):
        return Replay(Settings(self.values), kinds)

    def partitions(self):
        return sorted({line.get("@partition", 0) for line in self.lines})

    def asked(self, kind, option, asked, prepare):
        """Rows of one kind that were asked for, from the program and from the oracle."""
        self.run(option, asked)
        judge = self.oracle(())
        prepare(judge)
        wanted = [row for row in judge.rows(self.lines) if row["kind"] == kind]
        return list(self.rows()), wanted, judge.oracle.features.by_name

    def compare(self):
        """All rows of the program and of the oracle; returns how many there were of each kind."""
        self.run("--rows", KINDS)
        total = dict.fromkeys(replay_check.KINDS, 0)
        for partition in self.partitions():
            judge = self.oracle()
            wanted = judge.rows(line for line in self.lines
                                if line.get("@partition", 0) == partition)
            counts = replay_check.check_rows(self.rows(partition), wanted,
                                             judge.oracle.features.by_name)
            total = {kind: total[kind] + count for kind, count in counts.items()}
        print(f"{len(self.lines)} lines, rows compared: {total}")
        return total


@pytest.mark.parametrize("features", disorder.FEATURES)
@pytest.mark.parametrize("seed", disorder.WORLDS)
def test_disorder(directory, seed, features):
    values = disorder.values_of(seed, features)
    lines = list(disorder.Stream(seed, Settings(values)).lines(EVENTS))
    total = World(directory, values, lines).compare()
    assert total["fate"] > 0.95 * EVENTS and total["event"] > 0.5 * EVENTS
    assert min(total[kind] for kind in ("open", "close", "correction")) > 0


def accepted(world):
    """(partition, offset, as_of, key) of all event rows, by the oracle."""
    return [(row["partition"], row["offset"], row["as_of"], row["key"].decode())
            for row in world.oracle(("event",)).rows(world.lines)]


def check_all(found, wanted, features, name):
    """Both in the order of `name`; the oracle's members must be equal."""
    assert len(found) == len(wanted) > 0
    wanted = sorted(map(replay_check.as_json, wanted), key=name)
    for one, two in zip(sorted(found, key=name), wanted):
        wrong = replay_check.differences(one, two, features)
        assert not wrong, "\n".join([replay_check.where(two), *wrong])


@pytest.fixture(params=disorder.WORLDS)
def world(directory, request):
    """A small world for rows at chosen moments."""
    values = disorder.values_of(request.param)
    lines = list(disorder.Stream(request.param, Settings(values)).lines(1000))
    return World(directory, values, lines)


def moments(world, rng):
    """Event times, of events that came and around them."""
    times = [line["at"] for line in world.lines if 0 < line.get("at", 0) < disorder.END_MS]
    return [rng.choice(times) + rng.choice([0, 0, 1, -1, 60000, 7200000]) for _ in range(40)]


def test_rows_at_times(world):
    times = sorted(set(moments(world, random.Random(1))))
    found, wanted, features = world.asked("as_of", "--as-of", ",".join(map(str, times)),
                                          lambda judge: judge.ask_times(times))
    assert {row["kind"] for row in found} == {"as_of"}
    check_all(found, wanted, features, lambda row: (row["time"], row["key"]))


def test_labels(world, directory):
    """Labels at the very time of events, between them, and of a stranger."""
    rng = random.Random(2)
    partition_of = {key: partition for partition, _, _, key in accepted(world)}
    labels = {(rng.choice([*partition_of, "nobody"]), t) for t in moments(world, rng) * 6}
    path = directory / "labels.jsonl"
    path.write_text("".join(json.dumps({"key": key, "time": t, "bought": t % 2 == 0}) + "\n"
                            for key, t in sorted(labels)))

    def prepare(judge):
        for key, t in labels:
            if key in partition_of:
                judge.ask_label(partition_of[key], key.encode(), t, t)
    found, wanted, features = world.asked("label", "--labels", path, prepare)
    assert {(row["key"], row["time"]) for row in found} == labels
    places = {(row["key"].decode(), row["time"]): row for row in wanted}
    for row in found:
        assert row["label"] == {"bought": row["time"] % 2 == 0} and row["knowledge"] == "then"
        if row["partition"] is None and row["key"] != "nobody":     # not seen before its label
            row.update({name: places[row["key"], row["time"]][name]
                        for name in ("partition", "offset", "watermark")})
    found = [row for row in found if row["key"] != "nobody"]
    check_all(found, wanted, features, lambda row: (row["time"], row["key"]))


def test_given_points(world, directory):
    """Any key at the offset and as_of of any row, or at a later as_of, in no order."""
    rng, rows = random.Random(3), accepted(world)
    keys = {}
    for partition, _, _, key in rows:
        keys.setdefault(partition, set()).add(key)
    points = []
    for partition, offset, as_of, key in rng.sample(rows, 400):
        if rng.random() < 0.5:
            key = rng.choice(sorted(keys[partition]))
        points.append((partition, offset, as_of + rng.choice([0, 0, 1, 600000, 86400000]), key))
    path = directory / "points.jsonl"
    path.write_text("".join(json.dumps(dict(zip(("partition", "offset", "as_of", "key"), point)))
                            + "\n" for point in points))
    asked = [(*point[:3], point[3].encode(), number) for number, point in enumerate(points)]
    found, wanted, features = world.asked("at", "--at", path,
                                          lambda judge: judge.ask_points(asked))
    assert [tuple(row[name] for name in ("partition", "offset", "as_of", "key"))
            for row in found] == points
    for row in wanted:
        mine = found[row["ask"]]
        wrong = replay_check.differences({**mine, "kind": "at", "watermark": row["watermark"]},
                                         replay_check.as_json(row), features)
        assert not wrong, "\n".join([str(points[row["ask"]]), *wrong])
    assert len(wanted) == len(points)


class Shown:
    """What a reader sees of one partition: the newest event or decay row of each key."""

    def __init__(self, rows, judge, partition):
        self.rows = list(rows)[::-1]
        self.judge, self.partition = judge, partition
        self.newest, self.compared = {}, 0

    def check(self, offset):
        """After a record, or after an idle emission: no key's row is stale."""
        shard = self.judge.oracle.shards[self.partition]
        evaluator = self.judge.oracle.evaluator
        while self.rows and self.rows[-1]["offset"] == offset and \
                (offset is not None or self.rows[-1]["as_of"] == shard.as_of):
            row = self.rows.pop()
            self.newest[row["key"].encode()] = row
        for key in shard.newest_offset:
            wanted = evaluator.row(key, shard.keys.get(key) or KeyState(), shard.as_of)
            wrong = replay_check.differences(
                self.newest[key], {"rev": self.newest[key]["rev"] if wanted.empty else wanted.rev,
                                   "features": wanted.values}, evaluator.by_name)
            assert not wrong, "\n".join([f"{key} at offset {offset} as_of {shard.as_of}", *wrong])
            self.compared += 1


def test_no_row_goes_stale(world):
    """Event and decay rows together show every key as it is, whenever as_of or state moves."""
    world.run("--rows", "event,decay")
    judge, shown = world.oracle(()), {}

    def at(partition):
        if partition not in shown:
            shown[partition] = Shown(world.rows(partition), judge, partition)
        return shown[partition]

    def idle(partition, as_of):
        judge.shard(partition).idle(as_of)
        at(partition).check(None)
    for partition, offset, rts, read in from_json_lines(world.lines, judge.oracle.reader, idle):
        judge.shard(partition).consume(offset, rts, read)
        at(partition).check(offset)
    for partition in shown.values():
        assert not partition.rows and partition.compared > 1000


@pytest.mark.skipif(not LOG, reason="FRESHET_REAL_LOG names no file: REAL REQUESTS NOT REPLAYED")
@pytest.mark.parametrize("lag", [0, 600_000], ids=["in order", "in disorder"])
def test_real_requests(directory, lag):
    """In disorder: each request arrives up to ten minutes after it was made."""
    values = {"event.key": "host", "event.time": "event_time", "schema.framing": "raw",
              "schema.reader": ORACLE / "request.avsc", "session.gap": "5m",
              "session.lateness": "2m", "time.out_of_orderness": "3m",
              "features.file": ORACLE / "request-every.ini"}
    rng, lines = random.Random(9), list(nasa.requests(LOG))
    for line in lines:
        line["@timestamp"] = line["event_time"] + rng.randint(0, lag)
    lines.sort(key=lambda line: line["@timestamp"])
    total = World(directory, values, lines).compare()
    assert total["fate"] == 30969
    assert total["event"] == 30969 if lag == 0 else total["correction"] > 100


def test_bounds_of_a_pane(directory):
    """More groups and values in one pane than it keeps, and a HyperLogLog."""
    values = {**disorder.BASE, "features.file": directory / "wide.ini", "session.gap": "1h"}
    (directory / "wide.ini").write_text("".join(
        f"[feature f{number}]\nop = {op}\nover = {over}\n{more}\n\n"
        for number, (op, over, more) in enumerate([
            ("distinct(n)", "1h", ""), ("distinct(n)", "session", ""),
            ("top_k(n, 5)", "1h", ""), ("top_k(n, 1000)", "session", ""),
            ("entropy(n)", "lifetime", ""), ("count", "1h", "by = n\ncap = 1024"),
            ("count", "session", "by = n"), ("last(item)", "lifetime", "by = n\ncap = 3")])))
    rng = random.Random(4)
    lines = [{"who": "wide", "at": disorder.START_MS + number // 3, "kind": "view",
              "n": rng.randrange(6000), "item": rng.choice(disorder.ITEMS)}
             for number in range(9000)]
    world = World(directory, values, lines)
    times = [disorder.START_MS + t for t in (300, 1400, 2000, 2900, 4_000_000)]
    found, wanted, features = world.asked("as_of", "--as-of", ",".join(map(str, times)),
                                          lambda judge: judge.ask_times(times))
    assert len(wanted) == len(times)
    check_all(found, wanted, features, lambda row: row["time"])
