"""kill -9 at any moment and a restart end in what a batch recomputation gives."""
import random
import threading
import time

import pytest
from harness import RejectWatch, Topic, client, now_ms, row
from traffic import Poller, shop


def test_kill_and_restart_while_events_come(topic, make_daemon, redis):
    daemon = make_daemon().start()
    feeder = threading.Thread(target=shop, args=(topic, 20000), kwargs={"seed": 1, "pace": 5000})
    feeder.start()
    choice = random.Random(1)
    with Poller(redis) as poller:
        for _ in range(4):
            time.sleep(choice.uniform(0.3, 1.5))
            daemon.kill9()
            daemon.start()
        feeder.join()
        daemon.wait_caught_up()
    assert poller.reads > 0 and poller.problems == []
    daemon.assert_equal()
    daemon.terminate()


def test_drained_daemon_starts_again(topic, make_daemon, redis):
    daemon = make_daemon().start()
    shop(topic, 2000, seed=2)
    daemon.wait_caught_up()
    before = client(redis).hgetall("features:user1")
    daemon.terminate()
    shop(topic, 500, seed=3, start_ms=now_ms())
    daemon.start().wait_caught_up()
    after = client(redis).hgetall("features:user1")
    assert int(after[b"_as_of"]) >= int(before[b"_as_of"])
    daemon.assert_equal()


def test_nothing_is_written_below_what_was_written(topic, make_daemon, redis):
    """Replay suppression: the row of a key never shows an older state while a shard replays."""
    daemon = make_daemon().start()
    shop(topic, 5000, seed=4, users=5)
    daemon.wait_caught_up()
    daemon.kill9()
    with Poller(redis, pause=0) as poller:
        daemon.start()
        daemon.wait_caught_up()
    assert poller.problems == []
    daemon.assert_equal()


@pytest.fixture
def late_streams(kafka):
    topic = Topic(kafka.bootstrap, partitions=2)
    topic.create(f"{topic.name}-late")
    topic.create(f"{topic.name}-dead")
    return topic


def test_late_records_are_not_lost_and_hardly_twice(late_streams, make_daemon):
    topic = late_streams
    daemon = make_daemon({"late.topic": f"{topic.name}-late",
                          "late.dead_letter_topic": f"{topic.name}-dead"}, topic=topic).start()
    rejects = RejectWatch(topic, daemon.group)
    for seed in range(3):
        shop(topic, 3000, seed=seed, late=0.05, malformed=0.05)
        topic.flush()
        time.sleep(0.5)
        daemon.kill9()
        rejects.killed()
        daemon.start()
    daemon.wait_caught_up()
    rejects.check(daemon.fates())
    daemon.assert_equal()


def test_ghosts_are_swept(topic, make_daemon, redis):
    """Rows of keys that are not in state go; what is not ours stays."""
    redis_client = client(redis)
    redis_client.hset("features:ghost", mapping={"_p": "0", "_as_of": "1", "_o": "1", "a": "1"})
    redis_client.hset("other:ghost", mapping={"_p": "0", "a": "1"})
    redis_client.set("features:string", "not a row")
    shop(topic, 100, seed=5)
    daemon = make_daemon().start()
    daemon.wait_caught_up()
    daemon.wait(lambda: not redis_client.exists("features:ghost"), 20, "ghost swept")
    assert redis_client.exists("other:ghost") and redis_client.exists("features:string")
    assert row(redis, "user1")
