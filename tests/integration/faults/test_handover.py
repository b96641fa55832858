"""DRAIN under load and a daemon that stands by: how long nothing is written, and nothing twice."""
import threading
import time

import pytest
from faultrun import QUICK
from harness import Topic, now_ms, wait_for
from traffic import Poller, shop

CHUNK, PACE = 500, 1500


class Watch(Poller):
    """Reads a shard's own hash all the time: when did each owner write first and last?"""

    def __init__(self, redis, key):
        super().__init__(redis)
        self.key = key
        self.writes = {}        # token -> (first, last) time of a new batch

    def poll(self):
        peer, before = self.connect(), None
        while not self.ended.wait(self.pause):
            token, seq = peer.hmget(self.key, "t", "seq")
            now = time.monotonic()
            if token and before and seq != before[1]:
                self.writes[token] = (self.writes.get(token, (now,))[0], now)
            before = (token, seq)

    def gap(self, old):
        """Seconds from the last write under an old token to the first under another."""
        return min(first for token, (first, _) in self.writes.items() if token not in old) - \
            max(self.writes[token][1] for token in old)


def owned(daemon):
    return daemon.metric("freshet_partitions_assigned")


class Load:
    """Events without end, until it is told."""

    def __init__(self, topic):
        self.topic, self.events = topic, 0
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    def feed(self):
        while not self.enough.is_set():
            shop(self.topic, CHUNK, seed=self.events, pace=PACE, start_ms=now_ms())
            self.events += CHUNK

    def end(self):
        self.enough.set()
        self.thread.join()


@pytest.mark.parametrize("store", ["kafka", "none"])
def test_drain_under_load(store, kafka, redis, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=1)
    settings = {**QUICK, "checkpoint.store": store}
    pair = [make_daemon(settings, name=name, topic=topic).start() for name in "ab"]
    wait_for(lambda: all(daemon.metric("freshet_rebalances_total") for daemon in pair) and
             sorted(map(owned, pair)) == [0, 1], 30, "one has the partition, the other waits")
    staying, leaving = sorted(pair, key=owned)
    own = f"freshet:{{{leaving.group}:{topic.name}:0}}:own"
    with Poller(redis, pause=0) as poller, Watch(redis, own) as watch:
        load = Load(topic)
        leaving.wait(lambda: leaving.metric("freshet_consumed_total") > 2 * CHUNK, 30, "load")
        old = set(watch.writes)
        assert leaving.control("DRAIN") == "OK"
        leaving.wait(lambda: owned(staying) == 1, 60, "take-over")
        before = leaving.metric("freshet_consumed_total")
        staying.wait(lambda: set(watch.writes) - old, 30, "rows of the other")
        load.end()
        staying.wait_caught_up()
    assert poller.reads > 100 and poller.problems == []
    assert 0 < before < load.events
    if store == "kafka":        # what the one has consumed, and had saved, the other does not read
        assert before + staying.metric("freshet_consumed_total") == load.events
    print(f"store {store}: nothing was written for {watch.gap(old):.3f} s")
    staying.assert_equal()
    leaving.terminate()
    staying.terminate()
