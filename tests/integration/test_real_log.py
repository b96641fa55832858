"""30,969 real requests to a web server: sessions and their numbers equal the oracle's."""
import json
import os
import re
import subprocess
import sys

import pytest
from harness import PATIENCE, TREE, Topic, client

LOG = os.environ.get("FRESHET_REAL_LOG")
ORACLE = TREE / "tests" / "oracle"


@pytest.mark.skipif(not LOG, reason="FRESHET_REAL_LOG names no file: REAL REQUESTS NOT TESTED")
@pytest.mark.parametrize("idle", ["0", "2s"])
def test_real_requests(kafka, make_daemon, redis, idle):
    topic = Topic(kafka.bootstrap, partitions=2)
    done = subprocess.run(
        [sys.executable, ORACLE / "nasa.py", "--bootstrap", topic.bootstrap, "--topic", topic.name],
        capture_output=True, text=True, check=True, timeout=120 * PATIENCE)
    assert "30969 requests" in done.stdout
    daemon = make_daemon({
        "schema.framing": "raw", "schema.registry": "", "schema.reader": ORACLE / "request.avsc",
        "features.file": ORACLE / "request-features.ini", "event.key": "host",
        "session.cut_at": "04:00", "state.keep": "30d", "time.idle_timeout": idle}, topic=topic)
    daemon.start()
    if idle == "0":
        daemon.wait_caught_up(120)
        said = daemon.assert_equal("--as-of-raw", "--sessions-report")
    else:
        daemon.wait(lambda: daemon.metric("freshet_partition_idle") == 2, 90, "both idle")
        said = daemon.assert_equal("--check-idle", "1000", "--sessions-report")
    report = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    print(f"sessions: {report['sessions']}, hosts: {report['keys']}")
    # 2,989 is what sorting each host's times and cutting at gaps gives; no cut falls into the log.
    assert report["keys"] == 2365 and report["sessions"] == 2989
    assert re.search(r'"applied": 30969', said)
    rows = sum(1 for _ in client(redis).scan_iter("features:*", count=1000))
    assert rows == 2365
