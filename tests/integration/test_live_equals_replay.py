"""Rows that freshetd served are, byte for byte, those that `freshet replay --at` computes.

debug.rows logs every row sent to Redis with its place in the log. Whatever the flush timing and the
batch sizes, and however often the daemon was killed, a replay of the same topic that is asked for
exactly these places gives the same lines. FRESHET_EVENTS makes the test longer.
"""
import json
import os
import random
import time

from harness import SCHEMAS, Topic, client, now_ms, program

EVENTS = int(os.environ.get("FRESHET_EVENTS") or 260_000)
ROW_BYTES = 600     # about
SPAN_MS = 60_000    # of event time, in a phase
RATE = 8000         # events a second, while the daemon runs: rows hardly coalesce
PHASES = 4      # lives of the daemon, each with its own timing
# Windows of seconds decay while the partitions are idle, in real time.
DECAYING = """
[feature clicks_2s]
op = count
where = event_type == "click"
over = 2s
[feature spend_5s]
op = sum(price)
over = 5s
[feature sessions_7d]
op = count
over = 7d
on = session
[feature top_items_1h]
op = top_k(item_id, 3)
over = 1h
"""


def feed(topic, phase, end_ms, rate):
    """A minute of events with every disorder: of few users who come often, or of many."""
    few = phase % 4 == 1
    done = program(
        "freshet", "generate", "--brokers", topic.bootstrap, "--topic", topic.name, "--events",
        EVENTS // PHASES, "--seed", phase, "--users", 3000 if few else 60_000, "--rate", rate,
        "--zipf", "0.99" if few else "0.2", "--span", f"{SPAN_MS}ms", "--end", end_ms,
        "--out-of-orderness", "1s", "--gap", "5s", "--lateness", "3s",
        "--out-of-order", "0.1", "--late", "0.02", "--malformed", "0.005", "--duplicate", "0.01",
        "--future", "0.005", "--no-key", "0.002", "--quiet", timeout=1200)
    assert done.returncode == 0, done.stderr


def live(topic, make_daemon, redis, choice):
    """Runs the daemon over all phases; returns it, with its log of rows."""
    daemon = make_daemon(topic=topic)
    features = daemon.directory / "features.ini"
    features.write_text((SCHEMAS / "features.ini").read_text() + DECAYING)
    rows = daemon.directory / "rows.jsonl"
    daemon.settings.update({
        "features.file": features, "debug.rows": rows, "time.idle_timeout": "300ms",
        "session.gap": "5s", "session.lateness": "3s", "time.out_of_orderness": "1s"})
    # As if rows had been written before: else all wait for the end of the log as it is at start.
    for partition in range(topic.partitions):
        client(redis).hset(f"freshet:{{{daemon.group}:{topic.name}:{partition}}}:own", mapping={
            "t": "none", "hw": -1, "as": 0, "seq": 1, "rs": 0})
    begin = now_ms() - PHASES * SPAN_MS
    for phase in range(PHASES):
        end_ms = begin + (phase + 1) * SPAN_MS
        daemon.settings["redis.flush_interval"] = f"{choice.choice((1, 5, 20, 100))}ms"
        daemon.settings["redis.flush_keys"] = choice.choice((1, 50, 1000))
        daemon.settings["kafka.batch"] = choice.choice((10, 100, 1000))
        if phase % 2:
            daemon.start()
            feed(topic, phase, end_ms, RATE)
        else:
            feed(topic, phase, end_ms, 0)
            daemon.start()
        if phase + 1 < PHASES:
            wait_for_rows(daemon, rows, choice.randrange(EVENTS // PHASES))
            daemon.kill9()
    daemon.wait_caught_up()
    time.sleep(6)      # the partitions are idle: rows of decay
    daemon.terminate()
    return daemon, rows


def wait_for_rows(daemon, path, count):
    """Until so many rows more are logged, or there is nothing more to log."""
    begin = path.stat().st_size
    daemon.wait(lambda: path.stat().st_size > begin + count * ROW_BYTES or (
        daemon.metric("freshet_partitions_assigned") == daemon.topic.partitions and
        daemon.quiet()), 60, f"{count} rows")


def whole_lines(path):
    """The log's lines: a kill may have cut one, and the next life goes on behind it."""
    lines = path.read_bytes().splitlines(keepends=True)
    good, cut = [], 0
    for line in lines:
        try:
            json.loads(line)
            good.append(line)
        except ValueError:
            cut += 1
    assert cut < PHASES
    return good


def test_rows_served_are_rows_replayed(kafka, make_daemon, redis, capsys):
    choice = random.Random(int(os.environ.get("FRESHET_SEED") or 5))
    topic = Topic(kafka.bootstrap, partitions=2)
    daemon, path = live(topic, make_daemon, redis, choice)
    served = whole_lines(path)
    path.write_bytes(b"".join(served))
    began = time.monotonic()
    replayed = daemon.directory / "replayed.jsonl"
    done = program("freshet", "replay", "-c", daemon.config, "--format", "kafka", "--at", path,
                   "--output", replayed, "--jobs", 2, timeout=1200)
    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - began
    computed = replayed.read_bytes().splitlines(keepends=True)
    assert len(computed) == len(served)
    different = [(one, other) for one, other in zip(served, computed) if one != other]
    assert not different, f"{len(different)} of {len(served)}: {different[:3]}"
    rows = [json.loads(line) for line in served]
    places = {(row["partition"], row["offset"], row["as_of"]) for row in rows}
    again = len(rows) - len({(row["key"], row["newest"]) for row in rows})
    with capsys.disabled():
        print(f"\n{len(rows)} rows at {len(places)} places and times are the same bytes, {again} "
              f"of them without a new event of their key; replayed in {seconds:.1f} s")
    assert len(rows) >= EVENTS * 2 // 5 and again > 1000
    assert program("freshet", "verify", "-c", daemon.config).returncode == 0
