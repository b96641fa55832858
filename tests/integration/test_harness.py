"""The servers and the harness themselves: what the other tests lean on."""
import urllib.request

import services
from harness import V1, V2, client, headers_of, now_ms, read_topic


def test_topic_round_trip(topic):
    now = now_ms()
    topic.raw("ada", b"one", rts=now, headers=[("a", b"b")])
    topic.click("ada", now, writer="v1")
    topic.flush()
    first, second = read_topic(topic.bootstrap, topic.name)
    assert (first.key(), first.value(), first.timestamp()[1]) == (b"ada", b"one", now)
    assert headers_of(first) == {"a": "b"}
    assert second.value()[:5] == bytes([0, 0, 0, 0, V1])
    assert sum(topic.ends()) == 2 and sum(topic.committed("nobody")) == 0


def test_broker_keeps_data_over_a_restart(topic, kafka):
    topic.raw("ada", b"one")
    topic.flush()
    kafka.stop()
    kafka.start()
    kafka.kill()
    kafka.start()
    assert len(read_topic(topic.bootstrap, topic.name)) == 1


def test_redis_on_both_sockets(redis):
    client(redis).set("a", "1")
    assert client(redis, unix_socket_path=str(redis.socket)).get("a") == b"1"
    redis.stop()
    redis.start()
    assert client(redis).get("a") is None


def test_fake_registry(registry):
    with urllib.request.urlopen(f"{registry.url}/schemas/ids/{V2}") as answer:
        assert b"event_time" in answer.read()
    registry.stop()
    registry.start()
    assert registry.requests == [V2]


def test_three_brokers(directory):
    cluster = services.Kafka(directory / "cluster", brokers=3)
    try:
        cluster.start()
        cluster.brokers[0].kill()
        cluster.brokers[0].start()
    finally:
        cluster.kill()
