"""Several daemons in one group share the partitions and hand them over."""
import time

from harness import Topic, click, client, now_ms
from traffic import Poller, shop


def shares(*daemons):
    return [daemon.metric("freshet_partitions_assigned") or 0 for daemon in daemons]


def test_a_second_joins_and_leaves(kafka, redis, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=4)
    first = make_daemon(topic=topic, name="a").start()
    second = make_daemon(topic=topic, name="b")
    with Poller(redis) as poller:
        shop(topic, 3000, seed=1)
        first.wait_caught_up()
        second.start()
        shop(topic, 3000, seed=2, start_ms=now_ms())
        first.wait(lambda: shares(first, second) == [2, 2], 30, "two partitions each")
        first.wait_caught_up(60, others=[second])
        first.assert_equal()
        second.terminate()
        shop(topic, 3000, seed=3, start_ms=now_ms())
        first.wait(lambda: shares(first) == [4], 60, "all partitions again")
        first.wait_caught_up()
    assert poller.reads > 0 and poller.problems == []
    first.assert_equal()


def test_one_dies_and_the_other_takes_over(kafka, redis, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=4)
    first = make_daemon(topic=topic, name="a").start()
    second = make_daemon(topic=topic, name="b").start()
    first.wait(lambda: shares(first, second) == [2, 2], 30, "two partitions each")
    shop(topic, 2000, seed=1)
    second.kill9()
    shop(topic, 2000, seed=2, start_ms=now_ms())
    first.wait(lambda: shares(first) == [4], 60, "all partitions")
    first.wait_caught_up()
    first.assert_equal()


def test_frozen_beyond_its_session_and_woken(kafka, redis, make_daemon):
    """The zombie: what it held back may not overwrite what its successor wrote."""
    topic = Topic(kafka.bootstrap, partitions=4)
    first = make_daemon(topic=topic, name="a").start()
    second = make_daemon(topic=topic, name="b").start()
    first.wait(lambda: shares(first, second) == [2, 2], 30, "two partitions each")
    shop(topic, 2000, seed=1)
    second.process.send_signal(19)      # SIGSTOP
    shop(topic, 2000, seed=2, start_ms=now_ms())
    first.wait(lambda: shares(first) == [4], 60, "all partitions")
    first.wait_caught_up()
    with Poller(redis, pause=0) as poller:
        second.process.send_signal(18)  # SIGCONT
        first.wait(lambda: shares(first, second) == [2, 2], 60, "two partitions each again")
        shop(topic, 1000, seed=3, start_ms=now_ms())
        first.wait_caught_up(60, others=[second])
    assert poller.problems == []
    first.assert_equal()


def test_a_member_with_the_id_of_another(kafka, redis, make_daemon):
    """The newer one is taken for the same that comes back; the older one may be started again."""
    topic = Topic(kafka.bootstrap, partitions=2)
    settings = {"kafka.group.instance.id": "the one"}
    first = make_daemon(settings, topic=topic, name="a").start()
    shop(topic, 1000, seed=1)
    first.wait_caught_up()
    second = make_daemon(settings, topic=topic, name="b").start()
    first.wait_end(60, status=69)
    assert "Either a second daemon has this group.instance.id" in first.log_text()
    shop(topic, 1000, seed=2, start_ms=now_ms())
    second.wait_caught_up()
    second.assert_equal()


def test_a_static_member_that_stops_leaves_its_partitions(kafka, make_daemon):
    """Nobody waits for the end of its session, which is far."""
    topic = Topic(kafka.bootstrap, partitions=4)

    def member(name):
        return make_daemon({"kafka.group.instance.id": name, "kafka.session.timeout.ms": "290000"},
                           topic=topic, name=name).start()
    first, second = member("a"), member("b")
    first.wait(lambda: shares(first, second) == [2, 2], 30, "two partitions each")
    shop(topic, 1000, seed=1)
    second.terminate()
    first.wait(lambda: shares(first) == [4], 60, "all partitions")
    first.wait_caught_up()
    first.assert_equal()


def test_storm_of_rebalances(kafka, redis, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=3)
    first = make_daemon(topic=topic, name="a").start()
    for number in range(4):
        guest = make_daemon(topic=topic, name=f"guest{number}").start()
        shop(topic, 500, seed=number, start_ms=now_ms())
        time.sleep(0.5)
        if number % 2:
            guest.kill9()
        else:
            guest.terminate()
    first.wait_caught_up(90)
    assert client(redis).dbsize() > 3
    first.assert_equal()


def test_what_was_not_stored_holds_commits_over_a_rebalance(kafka, redis, make_daemon):
    """A dead letter that its topic refuses: the shard is parked, comes back, and waits for it."""
    topic = Topic(kafka.bootstrap, partitions=2)
    topic.create(f"{topic.name}-dead", max_message_bytes=1000)
    settings = {"late.dead_letter_topic": f"{topic.name}-dead", "control.drain_timeout": "1s"}
    first = make_daemon(settings, topic=topic, name="a").start()
    second = make_daemon(settings, topic=topic, name="b")

    def produce(bad=None):
        for partition in range(2):
            user = f"user{partition}"
            value = bad or topic.writers.framed(click(user, now_ms()))
            topic.raw(user, value, rts=now_ms(), partition=partition)
        topic.flush()

    produce()
    produce(b"\x07" * 4000)
    first.wait(lambda: first.log_text().count("reject_not_stored") == 2, what="two refusals")
    second.start()
    first.wait(lambda: shares(first, second) == [1, 1], 30, "a partition each")
    produce()
    first.wait(lambda: first.fates()["applied"] == 3, what="the record behind, of its own shard")
    first.terminate()
    second.terminate()
    assert topic.committed(first.group) == [1, 1]
