"""REBUILD: a shard without state begins as late in the log as is as good as its beginning."""
import random
import re
import threading
import time

import pytest
from harness import RespError, Topic, client, copies, now_ms, row
from traffic import TYPES, Poller, shop

MINUTE, DAY = 60_000, 24 * 3600_000
FEATURES = """
[feature clicks]
op = count
where = event_type == "click"
over = 5m

[feature spent]
op = sum(price)
over = 5m

[feature items]
op = last_distinct(item_id, 5)
over = 5m

[feature session_clicks]
op = count
over = session

[feature session_begins]
op = session_start
"""
UNBOUNDED = """
[feature visits]
op = session_number

[feature total]
op = count
over = lifetime
"""
# Reach is 5 min and a hop; a shard starts twice that and 5 s before now.
SHORT = {"kafka.start": "rebuild", "session.gap": "10s", "session.cut_every": "1m",
         "session.cut_at": "00:00", "state.keep": "1m", "time.window_lateness": "1m",
         "time.max_future_skew": "10s"}


@pytest.fixture
def short(make_daemon, directory):
    """Makes daemons whose features reach 5 minutes back."""
    def make(settings=None, features=FEATURES, **words):
        path = directory / "short.ini"
        path.write_text(features)
        return make_daemon({"features.file": path, **SHORT, **(settings or {})}, **words)
    return make


def starts(daemon):
    """Returns the offset of the last start of each partition."""
    return dict(enumerate(int(re.findall(rf"rebuild_begins partition={partition} offset=(\d+)",
                                         daemon.log_text())[-1]) for partition in (0, 1)))


def old_feed(topic, count, seed, newest_ms, delay_ms, span_ms, users=60):
    """Half of the records spread over the span, the rest in its last 50 minutes; event times are
    `delay_ms` before the records'."""
    choice = random.Random(seed)
    times = sorted([newest_ms - choice.randrange(span_ms) for _ in range(count // 2)] +
                   [newest_ms - choice.randrange(50 * MINUTE) for _ in range(count // 2)])
    for rts in times:
        ts = rts - delay_ms - (choice.randrange(5000) if choice.random() < 0.1 else 0)
        topic.click(f"user{choice.randrange(users)}", ts, choice.choice(TYPES), rts=rts,
                    item_id=f"item{choice.randrange(30)}", price=round(choice.uniform(1, 9), 2))
    topic.flush()


def assert_proven(daemon):
    peer = client(daemon.redis)
    assert not any(peer.hexists(key, "_w") for key in peer.scan_iter("features:*"))
    assert daemon.log_text().count("event=rebuild_ended") == 2
    assert "proven=no" not in re.findall(r"event=rebuild_ended.*", daemon.log_text())
    screen = daemon.control("STATUS")
    for partition, offset in starts(daemon).items():
        assert re.search(rf"rebuilt    partition {partition} from offset {offset}, .*: proven",
                         screen), screen


def test_a_start_without_state_reads_only_what_counts(short, topic):
    """A log of ten times reach."""
    shop(topic, 8000, seed=8, span_ms=52 * MINUTE, users=200)
    daemon = short().start().wait_caught_up()
    for partition, end in enumerate(topic.ends()):
        assert end // 2 < starts(daemon)[partition] < end
    assert "rebuild_further_back" not in daemon.log_text()
    assert_proven(daemon)
    daemon.assert_equal()
    assert daemon.metric("freshet_rebuilds_total") == 2
    shop(topic, 500, seed=9, start_ms=now_ms())
    daemon.wait_caught_up()
    daemon.assert_equal()
    daemon.terminate()


@pytest.mark.parametrize("feed", ["delayed", "stopped"])
def test_a_feed_two_days_behind(short, topic, feed):
    """Its events are old though its records are not; or the newest record is older than T, so that
    the broker has no offset for it."""
    delayed = feed == "delayed"
    old_feed(topic, 4000, seed=2, newest_ms=now_ms() - (0 if delayed else 2 * DAY),
             delay_ms=2 * DAY if delayed else 0, span_ms=5 * DAY)
    daemon = short().start().wait_caught_up()
    why = "the feed is behind the clock" if delayed else "no record is as new as that"
    assert f'rebuild_further_back partition=0 reason="{why}"' in daemon.log_text()
    for partition, end in enumerate(topic.ends()):
        assert 0 < starts(daemon)[partition] < end
    assert_proven(daemon)
    daemon.assert_equal()
    daemon.terminate()


def test_a_log_without_events(short, topic):
    """One partition is empty, the other has nothing that can be decoded: nothing to judge by."""
    for number in range(200):
        topic.raw("x", b"no event", now_ms() - 3600_000 + number, partition=1)
    topic.flush()
    daemon = short().start().wait_caught_up()
    assert starts(daemon) == {0: 0, 1: 0}
    assert "the log's beginning: proven" in daemon.control("STATUS")
    shop(topic, 300, seed=1, start_ms=now_ms())
    daemon.wait_caught_up()
    daemon.assert_equal()


def test_what_has_no_reach_is_named(short, topic, redis):
    daemon = short({"kafka.start": "beginning"}, features=FEATURES + UNBOUNDED).start()
    shop(topic, 4000, seed=3, span_ms=52 * MINUTE, users=20)
    daemon.wait_caught_up()
    assert "_w" not in row(redis, "user1")
    assert all(": proven" in line for line in daemon.control("REBUILD").splitlines())
    daemon.wait_caught_up()
    assert min(starts(daemon).values()) > 0
    assert row(redis, "user1")["_w"] == "visits,total"
    assert "warming    in partition 0: visits,total" in daemon.control("STATUS")
    assert "warming in partition 1: visits,total" in daemon.control("FEATURES")
    daemon.terminate()


def test_the_command_while_events_come(short, topic, redis, directory):
    """Nobody reads an older value; the answer comes when the rows are written; and a restart goes
    on from the state that was made anew."""
    daemon = short({"kafka.start": "beginning", "checkpoint.dir": directory / "state",
                    "checkpoint.interval": "300ms"}).start()
    shop(topic, 6000, seed=4, span_ms=52 * MINUTE)
    daemon.wait_caught_up()
    feeder = threading.Thread(target=shop, args=(topic, 6000),
                              kwargs={"seed": 5, "pace": 1000, "start_ms": now_ms()})
    with Poller(redis) as poller:
        feeder.start()
        answer = daemon.control("REBUILD", "1")
        assert re.fullmatch(r"partition 1 from offset \d+, record time \S+: proven", answer)
        assert "resync" not in daemon.control("SHARDS").splitlines()[2]
        answer = daemon.control("REBUILD")
        assert [line.split()[1] for line in answer.splitlines()] == ["0", "1"]
        feeder.join()
        daemon.wait_caught_up()
    assert poller.reads > 0 and poller.problems == []
    daemon.assert_equal()
    with pytest.raises(RespError, match="no such partition"):
        daemon.control("REBUILD", "2")
    with pytest.raises(RespError, match="a partition is a number"):
        daemon.control("REBUILD", "all")
    assert daemon.control("CHECKPOINT") == "OK"
    ends = topic.ends()
    daemon.kill9()
    daemon.start().wait_caught_up()
    assert [int(offset) for offset in re.findall(r"partition_assigned partition=\d+ start=(\d+)",
                                                 daemon.log_text())[-2:]] == ends
    daemon.assert_equal()
    daemon.terminate()


def test_an_as_of_that_no_right_clock_has_stated(short, topic, redis):
    """Of partition 0 it lies a day ahead, of partition 1 as far as an event may."""
    daemon = short({"kafka.start": "beginning"}).start()
    shop(topic, 2000, seed=12, span_ms=10 * MINUTE, users=20)
    daemon.wait_caught_up()
    own = [f"freshet:{{{daemon.group}:{topic.name}:{partition}}}:own" for partition in (0, 1)]
    peer, ahead = client(redis), [now_ms() + DAY, now_ms() + 8000]
    for key, as_of in zip(own, ahead):
        peer.hset(key, "as", as_of)
    assert all(": proven" in line for line in daemon.control("REBUILD").splitlines())
    daemon.wait_caught_up()
    found = [int(peer.hget(key, "as")) for key in own]
    assert found[0] <= now_ms() + 10_000            # time.max_future_skew
    assert found[1] == ahead[1]
    for key in peer.scan_iter("features:*"):
        partition, as_of = map(int, peer.hmget(key, "_p", "_as_of"))
        assert as_of == found[partition]
    daemon.assert_equal()
    daemon.terminate()


def test_a_sweep_that_is_due_ends_with_its_state(short, topic, redis):
    """It waits for the other shard, and would then find rows that the new state has not yet."""
    daemon = short({"kafka.start": "beginning"}).start()
    shop(topic, 2000, seed=13, span_ms=10 * MINUTE, users=200)
    daemon.wait_caught_up()
    peer, asking = client(redis), []
    rows = peer.dbsize()

    def ask(*words):
        asking.append(threading.Thread(target=daemon.control, args=words,
                                       kwargs={"timeout": 300}))
        asking[-1].start()

    def written_again():
        line = daemon.control("SHARDS").splitlines()[1]
        return line.split()[7] == "0" and "resync" in line      # none is dirty
    # Somebody had the other shard who has read 50 records more: its rows are held.
    peer.hset(f"freshet:{{{daemon.group}:{topic.name}:1}}:own",
              mapping={"t": "somebody", "hw": topic.ends()[1] + 49})
    daemon.wait(lambda: "replaying" in daemon.control("SHARDS"), what="a shard that is held")
    daemon.control("PAUSE")
    ask("RESYNC", "0")
    daemon.wait(written_again, what="a sweep that is due and waits")
    swept = daemon.log_text().count("event=sweep_ended")
    ask("REBUILD", "0")
    daemon.wait(lambda: "rebuild_begins partition=0" in daemon.log_text(), what="an empty shard")
    time.sleep(32)              # a sweep waits for other shards no longer than 30 s
    assert daemon.log_text().count("event=sweep_ended") == swept
    assert peer.dbsize() == rows
    for _ in range(50):
        topic.click("user0", now_ms(), partition=1)
    daemon.control("RESUME")
    for thread in asking:
        thread.join()
    daemon.wait_caught_up()
    daemon.assert_equal()
    daemon.terminate()


def test_late_records_are_not_sent_again(short, kafka):
    topic = Topic(kafka.bootstrap, partitions=2)
    for name in ("late", "dead"):
        topic.create(f"{topic.name}-{name}")
    daemon = short({"late.topic": f"{topic.name}-late", "kafka.start": "beginning",
                    "late.dead_letter_topic": f"{topic.name}-dead"}, topic=topic).start()
    shop(topic, 4000, seed=10, span_ms=52 * MINUTE, late=0.05, malformed=0.05)
    daemon.wait_caught_up()
    sent = [copies(topic.bootstrap, f"{topic.name}-{name}") for name in ("late", "dead")]
    assert all(len(places) > 50 for places in sent)
    assert all(": proven" in line for line in daemon.control("REBUILD").splitlines())
    shop(topic, 400, seed=11, start_ms=now_ms(), malformed=0.05)
    daemon.wait_caught_up()
    daemon.assert_equal()
    for name, before in zip(("late", "dead"), sent):
        after = copies(topic.bootstrap, f"{topic.name}-{name}")
        assert before.items() <= after.items() and set(after.values()) == {1}
    assert len(after) > len(before)
    daemon.terminate()


def test_a_rebalance_in_the_middle(short, topic):
    """What stays goes on where it was; what goes is begun anew by whoever has it then."""
    one = short(name="a").start()
    shop(topic, 4000, seed=7, span_ms=52 * MINUTE)
    one.wait_caught_up()
    one.control("PAUSE")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(one.control("REBUILD", timeout=120)))
    asking.start()
    one.wait(lambda: one.log_text().count("event=rebuild_begins") == 4, what="both begin anew")
    before = one.control("STATUS")
    assert before.count("not proven yet, nothing is written, 0 of") == 2, before
    two = short(name="b").start()
    two.wait(lambda: two.metric("freshet_partitions_assigned") == 1, 60, "a partition for each")
    one.wait(lambda: one.metric("freshet_partitions_assigned") == 1, what="the other one stays")
    assert one.control("STATUS").count("not proven yet, nothing is written, 0 of") == 1
    assert not answers
    one.control("RESUME")
    asking.join()
    assert re.fullmatch(r"partition \d from offset \d+, record time \S+: proven", answers[0])
    assert one.log_text().count("event=rebuild_begins") == 4    # it was not looked up again
    one.wait_caught_up(others=[two])
    one.assert_equal()
    one.terminate()
    two.terminate()


def test_turned_away_keys_prove_nothing(short, kafka, redis, directory):
    topic = Topic(kafka.bootstrap, partitions=1)
    shop(topic, 4000, seed=6, span_ms=52 * MINUTE, users=200)
    daemon = short({"state.max_keys": 5, "checkpoint.dir": directory / "state",
                    "checkpoint.interval": "1h"}, topic=topic).start()
    daemon.wait(lambda: "rebuilt " in daemon.control("STATUS"), what="rebuilt")
    assert "not proven: keys were turned away" in daemon.control("STATUS")
    assert "event=rebuild_ended" in daemon.log_text() and "proven=no" in daemon.log_text()
    names = "clicks,spent,items,session_clicks,session_begins"
    daemon.wait(lambda: {client(redis).hget(key, "_w") for key in client(redis).keys("features:*")}
                == {names.encode()}, what="no feature is trusted")
    daemon.wait(lambda: daemon.metric("freshet_checkpoints_total") == 1, what="it is saved at once")
    daemon.kill9()
    daemon.start().wait(lambda: daemon.metric("freshet_partitions_assigned") == 1, what="state")
    assert "checkpoint_loaded" in daemon.log_text()
    assert f"warming in partition 0: {names}" in daemon.control("FEATURES")
