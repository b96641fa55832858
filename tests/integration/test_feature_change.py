"""Features change over a restart: those that stay keep their state, new ones warm up, others go."""
import re

import pytest
from harness import client, now_ms
from traffic import shop

MINUTE = 60_000
KEPT = """
[feature clicks]
op = count
where = event_type == "click"
over = 10m

[feature items]
op = last_distinct(item_id, 5)
over = session
"""
EVER = """
[feature ever]
op = count
over = lifetime
"""
GONE = """
[feature gone]
op = sum(price)
over = 30m
"""
NEW = """
[feature fresh]
op = count
over = 5m

[feature fresh_items]
op = distinct(item_id)
over = 10m
"""


@pytest.fixture(params=["dir", "kafka"])
def changing(request, make_daemon, directory):
    """A daemon that keeps state, and how its features are changed."""
    path = directory / "changing.ini"
    daemon = make_daemon({"features.file": path, "checkpoint.store": request.param,
                          "checkpoint.dir": directory / "state", "checkpoint.interval": "300ms",
                          "time.max_future_skew": "10s"})
    return daemon, lambda *parts: path.write_text("".join(parts))


def rows(redis):
    peer = client(redis)
    return {key.decode(): {name.decode(): value.decode() for name, value in
                           peer.hgetall(key).items()} for key in peer.scan_iter("features:*")}


def restart(daemon, topic):
    """Saves and ends it; the next life begins where this one ended."""
    daemon.wait_caught_up()
    ends = topic.ends()
    daemon.terminate()
    daemon.start().wait_caught_up()
    begun = re.findall(r"partition_assigned partition=\d+ start=(\d+)", daemon.log_text())
    assert list(map(int, begun[-2:])) == ends


def values(row, *names):
    return [row.get(name) for name in names]


def test_state_stays_and_new_features_warm_up(changing, topic, redis):
    daemon, write = changing
    write(KEPT, EVER, GONE)
    shop(topic, 3000, seed=1, span_ms=20 * MINUTE, users=200)
    daemon.start().wait_caught_up()
    before = rows(redis)
    assert all("gone" in row for row in before.values())
    write(KEPT, NEW, EVER)
    restart(daemon, topic)
    after = rows(redis)
    assert after.keys() == before.keys() and len(after) > 100
    for key, row in after.items():
        assert values(row, "clicks", "items", "ever", "_o") == \
            values(before[key], "clicks", "items", "ever", "_o")
        assert "gone" not in row and row["_v"] != before[key]["_v"]
        assert (row["_w"], row["fresh"], row["fresh_items"]) == ("fresh,fresh_items", "0", "0")
    assert daemon.log_text().count("features_new=2") == 2
    assert "warming    in partition 0: fresh,fresh_items" in daemon.control("STATUS")
    assert "warming in partition 1: fresh,fresh_items" in daemon.control("FEATURES")
    # The first window has passed in event time, the second has not; then that has, too.
    for minutes, warming in ((7, "fresh_items"), (13, None)):
        shop(topic, 500, seed=minutes, start_ms=now_ms() + minutes * MINUTE, users=200)
        daemon.wait_caught_up()
        daemon.wait(lambda left=warming: {row.get("_w") for row in rows(redis).values()} == {left},
                    what=f"only {warming} warms")
    daemon.assert_equal()
    assert "warming" not in daemon.control("STATUS")
    daemon.terminate()


def test_rebuild_fills_new_features(changing, topic, redis):
    daemon, write = changing
    write(KEPT, GONE)
    shop(topic, 3000, seed=2, span_ms=20 * MINUTE)
    daemon.start().wait_caught_up()
    write(KEPT, NEW)
    restart(daemon, topic)
    assert {row["_w"] for row in rows(redis).values()} == {"fresh,fresh_items"}
    assert all(": proven" in line for line in daemon.control("REBUILD").splitlines())
    assert not any("_w" in row for row in rows(redis).values())
    daemon.wait_caught_up()
    daemon.assert_equal()
    restart(daemon, topic)      # and stay filled
    assert not any("_w" in row for row in rows(redis).values())
    daemon.assert_equal()
    daemon.terminate()


def test_other_rules_begin_new_state(changing, topic):
    daemon, write = changing
    write(KEPT)
    shop(topic, 1000, seed=3, span_ms=120 * MINUTE)
    daemon.start().wait_caught_up()
    daemon.terminate()
    daemon.settings["session.gap"] = "7m"
    daemon.start().wait_caught_up()
    assert "it follows other rules" in daemon.log_text()
    assert re.findall(r"partition_assigned partition=\d+ start=(\d+)",
                      daemon.log_text())[-2:] == ["0", "0"]
    daemon.assert_equal()
    daemon.terminate()
