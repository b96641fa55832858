"""`check --online`: Kafka, the registry and Redis are asked; a sample shows how keys are placed."""
import re
import uuid

import pytest
from harness import SCHEMAS, Topic, now_ms
from test_check import run


@pytest.fixture
def check(directory, kafka, redis, registry):
    """Writes a configuration for the services and runs the check; returns what it said."""
    def check(topic, *words, **changes):
        settings = {
            "kafka": {"bootstrap.servers": kafka.bootstrap, "topic": topic},
            "schema": {"reader": SCHEMAS / "click.avsc", "registry": registry.url},
            "features": {"file": SCHEMAS / "features.ini"},
            "redis": {"url": f"redis://127.0.0.1:{redis.port}/0"}}
        for key, value in changes.items():
            section, _, name = key.partition("_")
            settings[section][name] = value
        path = directory / "freshet.ini"
        path.write_text("".join(
            f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
            for section, entries in settings.items()))
        return run("freshetd", "--check", "--online", *words, "-c", path)
    return check


@pytest.fixture
def topic(kafka):
    topic = Topic(kafka.bootstrap, 3, message_timestamp_type="LogAppendTime")
    for number in range(300):
        topic.click(f"user{number % 40}", now_ms(), writer="v1" if number % 2 else "v2")
    topic.flush()
    return topic


def test_all_is_well(check, topic):
    done = check(topic.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"topic {topic.name} has 3 partitions, record times LogAppendTime" in done.stdout
    assert "registry   answers" in done.stdout
    assert "maxmemory-policy noeviction" in done.stdout


def test_a_sample_of_a_topic_that_is_keyed_by_the_entity(check, topic):
    done = check(topic.name, "--sample", "600")
    progress = r"sample: \d+ of \d+ records\n"      # once a second, should it take that long
    assert (done.returncode, re.sub(progress, "", done.stderr)) == (0, "")
    assert "sample     300 records, 40 keys" in done.stdout


def test_a_sample_of_a_topic_that_is_not(check, topic):
    for partition in range(3):
        topic.click("ada", now_ms(), partition=partition)
    topic.raw("x", b"\x00\x00\x00\x00\x01\xff\xff", partition=0)
    topic.flush()
    done = check(topic.name, "--sample", "100000")
    assert done.returncode == 69
    assert "sample     304 records, 41 keys" in done.stdout
    assert "event.key: 1 of 41 keys are in several partitions" in done.stderr
    assert "warning: schema.reader: 1 of 304 records of the sample cannot be used" in done.stderr


def test_a_sample_of_an_empty_topic(check, kafka):
    done = check(Topic(kafka.bootstrap).name, "--sample", "10")
    assert done.returncode == 0
    assert "sample     0 records, 0 keys" in done.stdout


def test_record_times_that_nobody_bounds(check, kafka):
    unbounded = Topic(kafka.bootstrap, message_timestamp_after_max_ms=2**63 - 1)
    done = check(unbounded.name)
    assert done.returncode == 0
    assert "warning: kafka.topic: record times are what producers say" in done.stderr


def test_a_topic_that_is_missing(check):
    done = check(f"missing-{uuid.uuid4().hex[:8]}")
    assert done.returncode == 69
    assert "kafka.topic: " in done.stderr


def test_nobody_answers(check, registry, redis, topic):
    registry.stop()
    redis.stop()
    done = check(topic.name)
    assert done.returncode == 69
    assert "schema.registry: does not answer" in done.stderr
    assert "redis.url: cannot be reached" in done.stderr


def test_redis_that_evicts_and_redis_that_refuses(check, redis, topic):
    redis.stop()
    redis.options = ("--maxmemory-policy", "allkeys-lru", "--requirepass", "s3cret")
    redis.start()
    done = check(topic.name, redis_password="s3cret")
    assert done.returncode == 0
    assert "warning: redis.url: Redis drops rows" in done.stderr
    done = check(topic.name, redis_password="wr0ng")
    assert done.returncode == 69
    assert "see redis.user and redis.password" in done.stderr
    assert "wr0ng" not in done.stderr
