"""Generated clickstreams against the oracle, in peace and under every fault; FRESHET_EVENTS each.

The ordinary run takes 50,000 events, `tests/run --full` a million.
"""
import collections
import json
import os
import random
import subprocess
import threading
import time

import pytest
from harness import BIN, PATIENCE, READER, SCHEMAS, V1, V2, RejectWatch, Topic, client, read_topic
from traffic import Poller

EVENTS = int(os.environ.get("FRESHET_EVENTS") or 50000)
LARGE = EVENTS >= 500_000
KILLS = 10 if LARGE else 4
REDIS_AWAY, BROKER_AWAY = (10, 15) if LARGE else (3, 5)
# Seconds for one million events, with room: catching up, and replaying after a kill.
CATCH_UP = 120 + EVENTS // 4000


@pytest.fixture
def streams(kafka):
    topic = Topic(kafka.bootstrap, partitions=4)
    topic.create(f"{topic.name}-late")
    topic.create(f"{topic.name}-dead")
    return topic


def settings(topic):
    return {"late.topic": f"{topic.name}-late", "late.dead_letter_topic": f"{topic.name}-dead",
            "session.lateness": "1m"}


def generate(topic, events, seed, summary, rate=None):
    """Starts `freshet generate`; its summary says what it produced by expected fate."""
    words = [BIN / "freshet", "generate", "--brokers", topic.bootstrap, "--topic", topic.name,
             "--events", events, "--seed", seed, "--users", max(1000, events // 20),
             "--out-of-order", "0.05", "--late", "0.01", "--malformed", "0.005",
             "--future", "0.001", "--span", "45d", "--lateness", "1m",
             "--framing", "confluent", "--schema-id", f"v2={V2},v1={V1}", "--summary", summary]
    if rate:
        words += ["--rate", rate]
    return subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(generator):
    said, _ = generator.communicate(timeout=1200 * PATIENCE)
    assert generator.returncode == 0, said


def test_in_peace(streams, make_daemon, directory):
    summary = directory / "summary.json"
    finish(generate(streams, EVENTS, 1, summary))
    daemon = make_daemon(settings(streams), topic=streams).start()
    began = time.monotonic()
    daemon.wait_caught_up(CATCH_UP)
    print(f"{EVENTS} events in {time.monotonic() - began:.1f} s")
    fates = {fate: count for fate, count in daemon.fates().items() if count}
    assert sum(fates.values()) == sum(streams.ends()) >= EVENTS
    assert fates["late"] > 0 and fates["undecodable"] > 0
    assert daemon.metric("freshet_future_clamped_total") > 0
    said = daemon.assert_equal("--as-of-raw", "--fates", str(summary))
    assert fates == json.loads(said.split("fates: ", 1)[1].splitlines()[0])
    RejectWatch(streams, daemon.group).check(fates)
    daemon.terminate()


class Chaos:
    """Ten kills, Redis away and emptied, the broker away, a second daemon: one after the other."""

    def __init__(self, topic, kafka, redis, poller, make_daemon, daemon):
        self.topic, self.kafka, self.redis, self.poller = topic, kafka, redis, poller
        self.make_daemon, self.daemon = make_daemon, daemon
        self.choice = random.Random(7)
        self.rejects = RejectWatch(topic, daemon.group)

    def kill(self):
        self.daemon.kill9()
        self.rejects.killed()
        self.daemon.start()

    def redis_away(self):
        self.redis.kill()
        self.poller.forget()        # it keeps nothing: it comes back empty
        time.sleep(REDIS_AWAY)
        self.redis.start()
        self.poller.forget()

    def redis_emptied(self):
        client(self.redis).flushall()
        self.poller.forget()

    def broker_away(self):
        self.kafka.stop()
        time.sleep(BROKER_AWAY)
        self.kafka.start()

    def second_daemon(self):
        second = self.make_daemon(settings(self.topic), topic=self.topic, name="second").start()
        time.sleep(8)
        second.terminate()

    def run(self):
        acts = [self.kill] * KILLS + [self.redis_away, self.redis_emptied, self.broker_away,
                                      self.second_daemon]
        self.choice.shuffle(acts)
        for act in acts:
            time.sleep(self.choice.uniform(0.2, 2))
            act()


def assert_made(topic, made, fates):
    """The fates are the generator's; what is more is proven: the same record at two offsets."""
    # Bytes alone are not enough: two malformed records can be alike.
    copies = collections.Counter(
        (message.partition(), message.key(), message.value(), message.timestamp())
        for message in read_topic(topic.bootstrap, topic.name))
    twice = sum(count - 1 for count in copies.values())
    more = {fate: fates.get(fate, 0) - made.get(fate, 0) for fate in {*fates, *made}}
    print(f"{twice} records are in the log twice")
    assert sum(fates.values()) == sum(topic.ends()) == EVENTS + twice
    assert min(more.values()) >= 0 and sum(more.values()) == twice, more


def test_under_fire(streams, kafka, redis, make_daemon, directory):
    summary = directory / "summary.json"
    generator = generate(streams, EVENTS, 2, summary, rate=max(1000, EVENTS // 60))
    output = threading.Thread(target=finish, args=(generator,))
    output.start()
    daemon = make_daemon(settings(streams), topic=streams).start()
    with Poller(redis) as poller:
        chaos = Chaos(streams, kafka, redis, poller, make_daemon, daemon)
        chaos.run()
        output.join()
        daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 4, 60, "all partitions")
        daemon.wait_caught_up(CATCH_UP)
    assert generator.returncode == 0
    said = daemon.assert_equal("--as-of-raw")
    fates = json.loads(said.split("fates: ", 1)[1].splitlines()[0])
    assert_made(streams, json.loads(summary.read_text())["fates"], fates)
    chaos.rejects.check(fates)
    assert poller.reads > 0 and poller.problems == []
    daemon.terminate()
