#!/usr/bin/env python3
"""Recomputes every feature of every key from the log and compares all of Redis with it."""
import argparse
import json
import re
import sys
import time
from urllib.parse import parse_qs, unquote, urlparse

import settings as settings_file
from oracle import Oracle
from packed import fields_of
from rows_check import Checker, Difference, Unreadable
from sources import from_json_lines, from_kafka, progress

SHOWN = 20
CHUNK = 1000
FATES = ("replayed", "tombstone", "oversize", "unknown_schema", "undecodable", "bad_time",
         "no_key", "future", "too_old", "filtered", "late", "duplicate", "over_capacity",
         "windows_only", "applied")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the daemon's INI file")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
                        help="overrides one key of the configuration")
    parser.add_argument("--bootstrap", help="Kafka brokers, instead of the configuration's")
    parser.add_argument("--topic", help="input topic, instead of the configuration's")
    parser.add_argument("--jsonl", metavar="FILE", help="records from JSON lines, not Kafka")
    parser.add_argument("--redis", help="unix:/path or redis://..., instead of redis.url; "
                                        "none = recompute only")
    parser.add_argument("--prefix", help="instead of redis.prefix")
    parser.add_argument("--version", help="the _v that every row must have")
    parser.add_argument("--as-of-from-redis", action="store_true",
                        help="evaluate at the own hash's as_of (this is the default)")
    parser.add_argument("--as-of-raw", action="store_true",
                        help="evaluate at the oracle's own raw (time.idle_timeout = 0)")
    parser.add_argument("--check-idle", type=int, metavar="MS",
                        help="as_of must have moved at least this far beyond raw")
    parser.add_argument("--settle", type=float, default=15, metavar="SECONDS",
                        help="how long differing rows are read again before they count")
    parser.add_argument("--no-rev", action="store_true", help="do not compare _rev")
    parser.add_argument("--allow-warming", action="store_true", help="allow _w in rows")
    parser.add_argument("--fates", metavar="FILE", help="JSON {fate: count} that must be equal")
    parser.add_argument("--sessions-report", action="store_true", help="print sessions and keys")
    return parser.parse_args()


def connect(url, settings):
    """A redis client of unix:/path, unix:///path?db=0 or redis://[user@]host:port/db."""
    import redis
    at = urlparse(url)
    auth = {"username": settings["redis.user"] or at.username or None,
            "password": settings["redis.password"] or at.password or None}
    if at.scheme == "unix":
        db = int(parse_qs(at.query).get("db", ["0"])[0])
        return redis.Redis(unix_socket_path=unquote(at.path), db=db, **auth)
    return redis.Redis(host=at.hostname, port=at.port or 6379,
                       db=int(at.path.strip("/") or 0), **auth)


class Store:
    """What Redis holds of one application."""

    def __init__(self, client, prefix, template, app, topic, packed=None):
        """packed: the features, when rows have the layout packed."""
        self.client, self.packed = client, packed
        before, _, after = template.partition("{key}")
        self.before, self.after = (prefix + before).encode(), after.encode()
        self.own_before = f"{prefix}freshet:{{{app}:{topic}:"

    def own(self, partition):
        return self.client.hgetall(f"{self.own_before}{partition}}}:own")

    def names(self):
        """Entity keys of all rows under the prefix."""
        def glob(text):
            return re.sub(rb"([*?\[\]\\])", rb"\\\1", text)
        own, seen = self.own_before.encode(), set()
        for name in self.client.scan_iter(glob(self.before) + b"*" + glob(self.after),
                                          count=CHUNK):
            if name not in seen and not name.startswith(own):
                seen.add(name)
                yield name[len(self.before):len(name) - len(self.after)]

    def rows(self, keys):
        """(key, fields); fields are empty when there is no row."""
        pipe = self.client.pipeline(transaction=False)
        for key in keys:
            (pipe.hgetall if self.packed is None else pipe.get)(self.before + key + self.after)
        answers = pipe.execute(raise_on_error=False)
        return [(key, self._fields(answer)) for key, answer in zip(keys, answers)]

    def _fields(self, answer):
        if answer is None or isinstance(answer, dict):
            return answer or {}
        try:
            if self.packed is not None and isinstance(answer, bytes):
                return fields_of(self.packed, answer)
        except Unreadable as error:
            answer = error
        return {b"(error)": b"%a" % answer}


def read_as_of(store, oracle, args, problems):
    """{partition: as_of} by the own hashes; what is wrong with them goes to problems."""
    found = {}
    for partition, shard in oracle.shards.items():
        raw = shard.raw if shard.raw is not None else 0
        found[partition] = raw
        if args.as_of_raw or shard.raw is None:
            continue
        own = store.own(partition)
        text = own.get(b"as")
        if text is None or not text.isdigit():
            problems.append(f"partition {partition}: no as_of in the own hash: {own!r}")
        elif int(text) < raw:
            problems.append(f"partition {partition}: as_of {int(text)} is below raw {raw}")
        elif args.check_idle is not None and int(text) < raw + args.check_idle:
            problems.append(f"partition {partition}: as_of {int(text)} is not "
                            f"{args.check_idle} ms beyond raw {raw}")
        else:
            found[partition] = int(text)
    return found


def check_all(store, oracle, checker):
    """Every row of Redis and every expected key, once: (keys, differences)."""
    seen, different, chunk = set(), [], []

    def look():
        for key, fields in store.rows(chunk):
            if fields:
                seen.add(key)
                different.extend(checker.row(key, fields))
        chunk.clear()
        progress(f"oracle: {len(seen)} rows compared")
    for key in store.names():
        chunk.append(key)
        if len(chunk) == CHUNK:
            look()
    look()
    different.extend(checker.missing(seen))
    return seen, different


def settle(store, oracle, checker, different, args):
    """Reads differing rows again for a while: as_of may move and decay rows may be on the way."""
    end = time.monotonic() + args.settle
    while different and time.monotonic() < end:
        time.sleep(0.5)
        keys = sorted({difference.key for difference in different})
        ways = [read_as_of(store, oracle, args, [])]
        rows = [row for at in range(0, len(keys), CHUNK)
                for row in store.rows(keys[at:at + CHUNK])]
        ways.append(read_as_of(store, oracle, args, []))
        different = []
        for key, fields in rows:
            found = []
            for as_of in ways if ways[0] != ways[1] else ways[:1]:
                checker.as_of = as_of
                found = again(checker, key, fields)
                if not found:
                    break
            different += found
    return different


def again(checker, key, fields):
    if fields:
        return checker.row(key, fields)
    only = {key: checker.owners.get(key, [])}
    whole, checker.owners = checker.owners, only
    try:
        return list(checker.missing(()))
    finally:
        checker.owners = whole


def compare_redis(oracle, args, settings):
    """(rows seen, differences, problems)"""
    store = Store(connect(args.redis or settings["redis.url"], settings),
                  settings["redis.prefix"] if args.prefix is None else args.prefix,
                  settings["redis.key"], settings["kafka.group.id"],
                  args.topic or settings["kafka.topic"],
                  oracle.evaluator.features if settings["redis.layout"] == "packed" else None)
    problems, end = [], time.monotonic() + args.settle
    while True:
        problems.clear()
        as_of = read_as_of(store, oracle, args, problems)
        if not problems or time.monotonic() > end:
            break
        time.sleep(0.5)
    warming = args.allow_warming or settings["kafka.start"] != "beginning"
    checker = Checker(oracle.shards, oracle.evaluator, as_of,
                      args.version.encode() if args.version else None, not args.no_rev, warming)
    foreign = checker.foreign()
    if foreign:
        problems.append(f"{len(foreign)} keys came in several partitions, such as {foreign[:3]}")
    seen, different = check_all(store, oracle, checker)
    return seen, settle(store, oracle, checker, different, args), problems


def compare_fates(path, fates):
    with open(path, encoding="utf-8") as file:
        said = json.load(file)
    said = said.get("fates", said)
    return [Difference(b"(fates)", fate, fates.get(fate, 0), said.get(fate, 0))
            for fate in FATES if fates.get(fate, 0) != int(said.get(fate, 0))]


def report_sessions(oracle):
    shards = oracle.shards.values()
    print(json.dumps({
        "sessions": sum(shard.sessions_total() for shard in shards),
        "merged": sum(shard.sessions_merged for shard in shards),
        "keys": oracle.key_count(),
        "keys_alive": sum(len(shard.keys) for shard in shards),
        "clamped": sum(shard.clamped for shard in shards),
        "raw": {partition: shard.raw for partition, shard in sorted(oracle.shards.items())}}))


def main():
    args = arguments()
    overrides = dict(entry.split("=", 1) for entry in args.set)
    settings = settings_file.load(args.config, overrides.items())
    oracle = Oracle(settings)
    if args.jsonl:
        with sys.stdin if args.jsonl == "-" else open(args.jsonl, encoding="utf-8") as file:
            oracle.consume(from_json_lines(file, oracle.reader))
    else:
        oracle.consume(from_kafka(settings, oracle.reader, args.bootstrap, args.topic))
    fates = oracle.fates()
    print("fates: " + json.dumps({fate: fates[fate] for fate in FATES if fate in fates}))
    if args.sessions_report:
        report_sessions(oracle)
    different, problems, rows = [], [], 0
    if args.redis != "none":
        seen, different, problems = compare_redis(oracle, args, settings)
        rows = len(seen)
    if args.fates:
        different += compare_fates(args.fates, fates)
    for line in problems:
        print("problem: " + line)
    for difference in different[:SHOWN]:
        print(difference)
    head = (f"oracle: {oracle.records()} records, {oracle.key_count()} keys, "
            f"{len(oracle.features.features)} features")
    if different or problems:
        print(f"{head}, {rows} rows: {len(different)} differences, {len(problems)} problems")
        return 1
    print(f"{head}: equal" if args.redis != "none" else f"{head}: recomputed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
