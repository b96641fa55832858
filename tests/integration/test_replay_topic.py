"""`freshet replay` over a topic: the rows that the daemon sent, byte for byte; ranges; fates."""
import datetime
import json
import os
import random
import subprocess

import pytest
from harness import BIN, PATIENCE, Topic, now_ms
from traffic import shop

# Rows to compare: enough to see a difference; the ordinary run does not wait for more.
EVENTS = int(os.environ.get("FRESHET_EVENTS", "0")) or 12000


def replay(daemon, *words, status=0):
    command = [BIN / "freshet", "replay", "-c", daemon.config, "--format", "kafka", *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False,
                          timeout=300 * PATIENCE)
    assert done.returncode == status, done.stderr.decode()
    return done


def iso(ms):
    when = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("settings", [
    {"redis.flush_interval": "1ms", "kafka.batch": 7},
    {"redis.flush_interval": "40ms", "redis.flush_keys": 3, "time.idle_timeout": "300ms",
     "state.keep": "20m", "session.gap": "2m", "session.lateness": "10m"},
    {"redis.flush_interval": "15ms", "state.keep": "1m", "session.gap": "30s",
     "state.on_forget": "delete", "kafka.batch": 300},
])
def test_live_equals_replay(topic, make_daemon, directory, settings):
    """Flushes at any time, in any size: each logged row is what the log gives at its point."""
    points = directory / "rows.jsonl"
    daemon = make_daemon({**settings, "debug.rows": points}).start()
    topic.click("first", now_ms() - 5 * 3600_000)
    daemon.wait_caught_up()     # from here on rows are written as events come
    choice = random.Random(repr(settings))
    for part in range(4):
        shop(topic, EVENTS // 4, seed=choice.randrange(1000), users=60, pace=8000,
             start_ms=now_ms() - (4 - part) * 3600_000 if part < 3 else None,
             span_ms=600_000, late=0.05)
    daemon.wait_caught_up()
    daemon.terminate()
    logged = points.read_bytes()
    again = replay(daemon, "--at", points).stdout
    lines, wrong = logged.splitlines(), 0
    assert len(lines) > EVENTS // 40
    for line, other in zip(lines, again.splitlines()):
        wrong += line != other
        if line != other and wrong < 4:
            print(line.decode(), other.decode(), sep="\n")
    assert wrong == 0 and logged == again, f"{wrong} of {len(lines)} rows differ"
    print(f"{len(lines)} rows are the same")


def test_a_row_log_that_cannot_be_opened(make_daemon, directory):
    daemon = make_daemon({"debug.rows": directory / "no" / "such"}).launch()
    assert daemon.process.wait(20 * PATIENCE) != 0
    assert "debug.rows" in daemon.log_text() and "No such file" in daemon.log_text()


def test_fates_and_partitions(topic, make_daemon):
    """The daemon's fates; partitions one after the other, each in the order of its offsets."""
    daemon = make_daemon().start()
    shop(topic, 3000, seed=5, malformed=0.02, late=0.05)
    daemon.wait_caught_up()
    fates = daemon.fates()
    done = replay(daemon, "--rows", "fate", "--summary")
    rows = rows_of(done)
    assert [(row["partition"], row["offset"]) for row in rows] == sorted(
        (row["partition"], row["offset"]) for row in rows)
    assert len(rows) == 3000
    summary = json.loads(done.stderr.decode().splitlines()[-1])
    assert {name: count for name, count in summary["fates"].items() if count} == {
        name: count for name, count in fates.items() if count}
    daemon.terminate()


def test_ranges(topic, make_daemon):
    """--from and --to: offsets and times, the end exclusive; nothing there is no error."""
    begin = now_ms() - 3600_000
    for number in range(20):
        topic.click("ada", begin + 1000 * number, item_id=f"i{number}")
    topic.flush()
    daemon = make_daemon()
    daemon.write_config()

    def offsets(*words):
        return [row["offset"] for row in rows_of(replay(daemon, "--rows", "fate", *words))]
    assert offsets() == list(range(20))
    assert offsets("--from", "5", "--to", "8") == [5, 6, 7]
    assert offsets("--from", iso(begin + 5000), "--to", iso(begin + 7001)) == [5, 6, 7]
    assert offsets("--from", iso(begin + 10**9)) == [] == offsets("--to", "0")
    assert offsets("--from", "18", "--to", "999") == [18, 19]


def test_no_kafka(make_daemon):
    """Nobody answers: exit 69, after patience."""
    nobody = Topic.__new__(Topic)
    nobody.bootstrap, nobody.name, nobody.partitions = "127.0.0.1:1", "clicks", 1
    daemon = make_daemon(topic=nobody)
    daemon.write_config()
    done = replay(daemon, status=69)
    assert b"no answer for" in done.stderr and done.stdout == b""
