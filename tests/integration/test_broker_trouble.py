"""Kafka away, a topic that is missing, grows or has lost its beginning."""
import time

import confluent_kafka
import confluent_kafka.admin
import pytest
import services
from harness import Topic, click, now_ms, row
from traffic import shop


def test_broker_stops_and_comes_back(kafka, topic, daemon, redis):
    shop(topic, 1000, seed=1)
    daemon.wait_caught_up()
    kafka.stop()
    time.sleep(4)
    assert daemon.control("PING") == "PONG"      # clear state, no crash
    kafka.start()
    shop(topic, 1000, seed=2, start_ms=now_ms())
    daemon.wait_caught_up(90)
    daemon.assert_equal()
    daemon.terminate()


def test_starts_before_the_broker(kafka, topic, make_daemon):
    shop(topic, 200, seed=1)
    kafka.kill()
    daemon = make_daemon().start()
    time.sleep(2)
    kafka.start()
    daemon.wait_caught_up(90)
    daemon.assert_equal()


def test_stops_in_time_while_the_broker_is_away(kafka, topic, make_daemon):
    daemon = make_daemon({"control.drain_timeout": "3s"}).start()
    shop(topic, 200, seed=1)
    daemon.wait_caught_up()
    kafka.freeze()
    try:
        began = time.monotonic()
        daemon.process.terminate()
        daemon.process.wait(40)
        assert time.monotonic() - began < 30
    finally:
        kafka.kill()        # one that stood still so long is of no use to the next test


def test_a_partition_that_the_client_leaves_paused_is_fetched_anew(topic, make_daemon, shim):
    """No schema is waited for: the first assignment resumes once, then RESUME does."""
    daemon = make_daemon({"kafka.stall_timeout": "1s", "schema.framing": "raw"})
    daemon.start(env={"LD_PRELOAD": str(shim), "FRESHET_FAILCALL": "resume:2"})

    def clicks():
        for number in range(100):
            user = f"user{number % 10}"
            topic.raw(user, topic.writers.bare(click(user, now_ms())))
    clicks()
    daemon.wait_caught_up()
    assert daemon.control("PAUSE") == "OK"
    clicks()
    assert "failcall" not in daemon.log_text()
    assert daemon.control("RESUME") == "OK"
    assert "failcall kind=resume" in daemon.log_text()
    daemon.wait_caught_up()
    assert daemon.log_text().count("event=partition_stalled") == 1
    daemon.wait(lambda: "event=partition_moves" in daemon.log_text(), what="the alarm's end")
    assert daemon.metric("freshet_stalls_total") == 1
    daemon.assert_equal()
    daemon.terminate()


def test_a_broker_that_hangs_is_alarmed(kafka, topic, make_daemon):
    """Its connections stay open: no error says that nothing comes."""
    daemon = make_daemon({"kafka.stall_timeout": "1s", "kafka.session.timeout.ms": 45000,
                          "kafka.heartbeat.interval.ms": 3000}).start()
    shop(topic, 200, seed=1)
    daemon.wait_caught_up()
    daemon.control("PAUSE")
    shop(topic, 200, seed=2, start_ms=now_ms())
    daemon.wait(lambda: daemon.metric("freshet_consumer_lag") == 200, what="the ends are known")
    kafka.freeze()
    try:
        daemon.control("RESUME")
        daemon.wait(lambda: daemon.metric("freshet_partition_stalled") == 2, what="an alarm")
        assert "ALARM      stalled: " in daemon.control("STATUS")
        assert daemon.control("LAG").count("owner, stalled") == 2
        time.sleep(3)
    finally:
        kafka.thaw()
    daemon.wait_caught_up()
    daemon.wait(lambda: daemon.metric("freshet_partition_stalled") == 0, what="the alarm's end")
    assert daemon.metric("freshet_stalls_total") == 2       # once for each, however long it took
    assert "stalled" not in daemon.control("STATUS")
    daemon.assert_equal()
    daemon.terminate()


def test_topic_that_does_not_exist_yet(kafka, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=0)
    daemon = make_daemon(topic=topic).start()
    daemon.wait(lambda: topic.name in daemon.control("STATUS"), 20, "STATUS names the topic")
    daemon.wait(lambda: daemon.metric("freshet_alarm"), 30, "an alarm")
    topic.partitions = 2
    topic.create(topic.name, 2)
    shop(topic, 200, seed=1)
    daemon.wait_caught_up(90)
    daemon.assert_equal()


def lose_beginning(topic, before):
    wanted = [confluent_kafka.TopicPartition(topic.name, partition, offset)
              for partition, offset in enumerate(before)]
    for future in topic.admin.delete_records(wanted).values():
        future.result(30)


def outrun(topic, daemon):
    """The daemon stands still (PAUSE) while retention passes the offset it needs."""
    shop(topic, 1000, seed=1)
    daemon.wait_caught_up()
    daemon.control("PAUSE")
    shop(topic, 1000, seed=2, start_ms=now_ms())
    lose_beginning(topic, [end - 10 for end in topic.ends()])
    daemon.control("RESUME")


def test_offsets_gone_stops_with_a_reason(topic, make_daemon):
    daemon = make_daemon({"kafka.fetch.queue.backoff.ms": None,
                          "kafka.queued.min.messages": 1}).start()
    outrun(topic, daemon)
    # What was fetched before PAUSE may still be applied; then it stops, and says why.
    ended = daemon.process.wait(60)
    assert ended not in (0, None) and ended > 0
    assert "event=offset_gone" in daemon.log_text() or "event=fatal" in daemon.log_text()


def test_offsets_gone_begins_anew_when_told_to(topic, make_daemon):
    daemon = make_daemon({"kafka.offset_reset": "rebuild", "kafka.queued.min.messages": 1})
    daemon.start()
    outrun(topic, daemon)
    daemon.wait_caught_up(60)
    assert daemon.metric("freshet_alarm") or daemon.metric("freshet_offset_gaps_total")
    if daemon.metric("freshet_rebuilds_total"):     # else all of it was fetched before PAUSE
        assert "ALARM      offset_reset" in daemon.control("STATUS")
        daemon.assert_equal()


def test_first_start_behind_retention_is_no_jump(topic, make_daemon):
    """The log's beginning is not offset 0: that is an ordinary start."""
    shop(topic, 1000, seed=1)
    lose_beginning(topic, [end // 2 for end in topic.ends()])
    daemon = make_daemon().start()
    daemon.wait_caught_up()
    daemon.assert_equal()


def test_partition_count_changed(topic, make_daemon):
    """It is noticed within a minute, without a setting that would help."""
    daemon = make_daemon({"kafka.topic.metadata.refresh.interval.ms": None}).start()
    shop(topic, 500, seed=1)
    daemon.wait_caught_up()
    grown = confluent_kafka.admin.NewPartitions(topic.name, 4)
    for future in topic.admin.create_partitions([grown]).values():
        future.result(30)
    ended = daemon.process.wait(60)
    assert ended not in (0, None) and ended > 0
    text = daemon.log_text()
    assert "4 partitions instead of 2" in text and "start again" in text


@pytest.fixture
def cluster(directory):
    servers = services.Kafka(directory / "cluster", brokers=3)
    servers.start()
    yield servers
    servers.kill()


def test_leader_moves(cluster, make_daemon, redis):
    topic = Topic(cluster.bootstrap, partitions=0)
    new = confluent_kafka.admin.NewTopic(topic.name, 2, 3, config={"min.insync.replicas": "2"})
    for future in topic.admin.create_topics([new]).values():
        future.result(30)
    topic.partitions = 2
    daemon = make_daemon(topic=topic).start()
    shop(topic, 1000, seed=1)
    daemon.wait_caught_up(90)
    for broker in cluster.brokers:
        broker.kill()
        shop(topic, 300, seed=2, start_ms=now_ms())
        broker.start()
        time.sleep(2)
    daemon.wait_caught_up(120)
    assert row(redis, "user1")
    daemon.assert_equal()
