"""Events a second of CPU that `freshet replay` gets through, beside DuckDB.

    tests/bench/run replay [--events N] [--users N] [--runs N] [--no-targets]

One generated clickstream of 40 days, as JSON lines and as an Avro container file. Each figure
is the best of the runs, by the CPU time of the whole process, reading and writing files included:
    closes   Avro in, a row for each closed session of three session features
    deflate  the same from a file packed by deflate: unpacking is half of it
    rows     Avro in, a row for each event with the shipped feature set
    lines    the same from JSON lines
    pair     JSON lines in, a row for each event with a 30-day mean and a 5-minute count
DuckDB, on one thread, computes the pair from the same JSON lines with window functions over the
very same bounds, and every value is compared.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import fastavro
import xxhash

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FRESHET_BIN_DIR", TREE / "build" / "release"))
SCHEMA = TREE / "schemas" / "click.avsc"
DAY_MS = 86_400_000
TARGETS = {"closes": 1_500_000, "rows": 300_000, "lines": 300_000}
SESSIONS = """[feature events]
op = session_event_count
[feature duration]
op = session_duration
[feature last_item]
op = last(item_id)
over = session
"""
PAIR = """[feature price_mean_30d]
op = mean(price)
over = 30d
[feature clicks_5m]
op = count
where = event_type == "click"
over = 5m
"""
HOPS_MS = {"30d": 43_200_000, "5m": 5_000}     # the default hops of these windows


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def generate(path, options):
    with open(path, "wb") as out:
        subprocess.run([BIN / "freshet", "generate", "--output", "-", "--events",
                        str(options.events), "--users", str(options.users), "--span", "40d",
                        "--partitions", "1", "--out-of-order", "0", "--seed", "7", "--quiet"],
                       stdout=out, check=True)


def convert(lines, path, codec):
    """The same events as an Avro container file."""
    schema = json.loads(SCHEMA.read_text())
    for field in schema["fields"]:
        if field["name"] == "event_time":
            field["type"] = "long"

    def events():
        with open(lines, "rb") as stream:
            yield from map(json.loads, stream)
    with open(path, "wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), events(), codec=codec)


def replay(features, source, rows, output):
    """Returns CPU seconds of a replay."""
    before = cpu_seconds()
    subprocess.run([BIN / "freshet", "replay", "--schema", SCHEMA, "--features", features, "--key",
                    "user_id", "--time", "event_time", "--rows", rows, "--output", output, source],
                   check=True)
    return cpu_seconds() - before


def pair_by_duckdb(lines, parquet):
    """Computes the pair for each event, with the tails of freshet's windows; values to a file."""
    base = duckdb.connect()
    base.execute("SET threads = 1")
    base.create_function("phase", lambda key: xxhash.xxh64_intdigest(key.encode()) % DAY_MS,
                         ["VARCHAR"], "BIGINT")

    def tail(window_ms, hop_ms):
        return f"((as_of - {window_ms} - phase) // {hop_ms}) * {hop_ms} + phase"
    base.execute(f"""
    COPY (
        WITH read AS (
            SELECT user_id, event_time AS ts, event_type, price, row_number() OVER () - 1 AS place
            FROM read_json('{lines}', format = 'newline_delimited', columns = {{
                user_id: 'VARCHAR', event_time: 'BIGINT', event_type: 'VARCHAR',
                price: 'DOUBLE'}})),
        phases AS (
            SELECT user_id, phase(user_id) AS phase FROM (SELECT DISTINCT user_id FROM read)),
        timed AS (
            SELECT *, max(ts) OVER (ORDER BY place) AS as_of,
                   ts * 1024 + row_number() OVER (PARTITION BY user_id, ts ORDER BY place) AS spot
            FROM read),
        bounded AS (
            SELECT *, spot - 1024 * ({tail(30 * DAY_MS, HOPS_MS["30d"])}) AS far,
                   spot - 1024 * ({tail(300_000, HOPS_MS["5m"])}) AS near
            FROM timed JOIN phases USING (user_id))
        SELECT place,
            avg(price) OVER (PARTITION BY user_id ORDER BY spot
                RANGE BETWEEN far PRECEDING AND CURRENT ROW) AS mean,
            count(*) FILTER (event_type = 'click') OVER (PARTITION BY user_id ORDER BY spot
                RANGE BETWEEN near PRECEDING AND CURRENT ROW) AS clicks
        FROM bounded)
    TO '{parquet}' (FORMAT parquet)""")


def different(rows, parquet):
    """Returns how many events have other values, and how many there are."""
    return duckdb.execute(f"""
        SELECT count(*) FILTER (ours.clicks IS DISTINCT FROM theirs.clicks OR
                   (ours.mean IS NULL) <> (theirs.mean IS NULL) OR
                   abs(ours.mean - theirs.mean) > 1e-9 * abs(theirs.mean)), count(*)
        FROM (SELECT "offset" AS place, features.price_mean_30d AS mean,
                     features.clicks_5m AS clicks
              FROM read_json('{rows}', format = 'newline_delimited', columns = {{
                  "offset": 'BIGINT',
                  features: 'STRUCT(price_mean_30d DOUBLE, clicks_5m BIGINT)'}})) AS ours
        FULL JOIN '{parquet}' AS theirs USING (place)""").fetchone()


def say(name, events, seconds, wanted=None):
    rate = events / seconds
    target = f" (target {wanted:,})" if wanted else ""
    print(f"{name:<8}{seconds:8.2f} s CPU {rate:14,.0f} events/s{target}", flush=True)
    return wanted is None or rate >= wanted


def main():
    if sys.argv[1:2] == ["--duckdb"]:   # a process of its own, so that its CPU is known
        pair_by_duckdb(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="tests/bench/run replay",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-targets", action="store_true", help="missing one is no failure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshet-bench.") as name:
        here = Path(name)
        lines, avro, rows = here / "events.jsonl", here / "events.avro", here / "rows.jsonl"
        parquet = here / "values.parquet"
        for file, text in (("sessions.ini", SESSIONS), ("pair.ini", PAIR)):
            (here / file).write_text(text)
        shipped = TREE / "schemas" / "features.ini"
        generate(lines, options)
        packed = here / "packed.avro"
        convert(lines, avro, "null")
        convert(lines, packed, "deflate")
        print(f"{options.events} events: {lines.stat().st_size / 1e6:.0f} MB of JSON lines, "
              f"{avro.stat().st_size / 1e6:.0f} MB of Avro", flush=True)
        good = True
        for part, features, source, kind in (
                ("closes", here / "sessions.ini", avro, "close"),
                ("deflate", here / "sessions.ini", packed, "close"),
                ("rows", shipped, avro, "event"), ("lines", shipped, lines, "event"),
                ("pair", here / "pair.ini", lines, "event")):
            best = min(replay(features, source, kind, rows) for _ in range(options.runs))
            good &= say(part, options.events, best, TARGETS.get(part))
        before = cpu_seconds()
        subprocess.run([sys.executable, __file__, "--duckdb", lines, parquet], check=True)
        say("DuckDB", options.events, cpu_seconds() - before)
        wrong, all_of_them = different(rows, parquet)
        print(f"{all_of_them - wrong} of {all_of_them} events have the same values")
    if wrong or all_of_them != options.events:
        sys.exit("bench: DuckDB and freshet differ")
    if not good and not options.no_targets:
        sys.exit("bench: a target is missed")


if __name__ == "__main__":
    main()
