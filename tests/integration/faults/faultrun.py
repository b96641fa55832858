"""One run: real servers, seeded traffic, a random plan of faults, and in the end the oracle.

    run = FaultRun(number, kafka, directory, shim)    # the number is the seed and chooses the plan
    run.go()                                      # AssertionError: not equal, or a row went back
    run.done                                      # the kinds of faults that happened, in order
"""
import contextlib
import json
import random
import re
import struct
import subprocess
import threading
import time

import redis as redis_client
from faultkinds import FIRST, FURTHER, KINDS, SESSION_MS
from harness import FakeRegistry, Freshetd, RespError, Topic, copies, now_ms, wait_for
from redisfront import RedisFront
from traffic import Poller, shop

STORES = ("dir", "kafka")
PARTITIONS = 6
HISTORY = 1500                          # events of hours, at once
CHUNK, CHUNKS_MAX, PACE = 300, 12, 500  # events of a piece of later traffic, pieces, a second
RESTARTABLE = 69
LATE = ("late", "future", "too_old")
DEAD = ("oversize", "unknown_schema", "undecodable", "bad_time", "no_key")
QUICK = {
    "kafka.session.timeout.ms": SESSION_MS,
    "kafka.heartbeat.interval.ms": 300,
    "kafka.commit_interval": "100ms",
    "kafka.reconnect.backoff.max.ms": 500,
    "redis.reply_timeout": "600ms",
    "redis.connect_timeout": "500ms",
    "checkpoint.interval": "200ms",
    "control.drain_timeout": "5s",
}


class FrontPoller(Poller):
    """Follows the front's name, whichever server it leads to."""

    def connect(self):
        return self.redis.client(retry=None)


class SmallDisk:
    """A file system of its own for checkpoints, which can be full."""

    def __init__(self, path, size="2m"):
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path],
                       check=True)

    def fill(self):
        with contextlib.suppress(OSError), open(self.path / "filler", "ab", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self):
        (self.path / "filler").unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


class WrongClock:
    """The wall clock of a daemon, seconds ahead."""

    def __init__(self, path, shim):
        self.path = path
        self.jump(0)
        self.environment = {"LD_PRELOAD": str(shim), "FRESHET_CLOCK": str(path)}

    def jump(self, seconds):
        with open(self.path, "r+b" if self.path.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("=q", seconds * 1000))


class FaultRun:
    """The world of one run."""

    def __init__(self, number, kafka, directory, shim):
        self.choice = random.Random(number)
        first = FIRST[number % len(FIRST)]
        self.plan = [first, *self.choice.choices(FURTHER, k=self.choice.choice((0, 1, 1, 2)))]
        self.choice.shuffle(self.plan)
        self.store = STORES[(number + number // len(FIRST)) % 2]
        if first == "disk full":
            self.store = "dir"
        crowd = first == "rebalance of three" or self.choice.random() < 0.25
        self.kafka, self.directory, self.number = kafka, directory, number
        # A take-over that reads much again, in small pieces: what it may not write, it could.
        self.pace = {"checkpoint.interval": self.choice.choice(("200ms", "3s")),
                     "kafka.fetch.message.max.bytes": self.choice.choice((1000, 1 << 20)),
                     "time.idle_timeout": self.choice.choice(("0", "1s"))}
        self.done, self.over, self.frozen = [], False, set()
        self.shim, self.clocks = shim, {}
        self.cleanup = contextlib.ExitStack()
        self.registry = FakeRegistry.standard()
        self.cleanup.callback(self.registry.stop)
        self.topic = Topic(kafka.bootstrap, partitions=PARTITIONS, replicas=len(kafka.brokers))
        for kind in ("late", "dead"):
            self.topic.create(f"{self.topic.name}-{kind}")
        self.redis = RedisFront(directory / "redis")
        self.cleanup.callback(self.redis.close)
        self.disk = None
        if first == "disk full":
            self.disk = SmallDisk(directory / "disk")
            self.cleanup.callback(self.disk.close)
        self.poller = FrontPoller(self.redis)
        self.daemons = [self.daemon(name) for name in ("abc" if crowd else "a")]

    def daemon(self, name):
        settings = {**QUICK, **self.pace, "redis.url": f"unix://{self.redis.path}?db=0",
                    "checkpoint.store": self.store,
                    "checkpoint.dir": (self.disk.path if self.disk else self.directory) / name,
                    "late.topic": f"{self.topic.name}-late",
                    "late.dead_letter_topic": f"{self.topic.name}-dead"}
        if self.choice.random() < 0.5:
            settings["kafka.group.instance.id"] = name
        made = Freshetd(self.directory / "daemons", self.topic, self.redis.server, settings,
                        self.registry, name)
        self.clocks[made] = WrongClock(self.directory / f"clock-{name}", self.shim)
        made.more_environment = self.clocks[made].environment
        self.cleanup.callback(made.close)
        return made

    # ---- what faults use ----

    def alive(self, daemon):
        ended = daemon.process.poll()
        if ended == RESTARTABLE and "fenced by other consumer" in daemon.log_end():
            daemon.start()      # as its supervisor does
            return
        assert ended is None, f"{daemon.directory.name} ended by itself: {ended}\n" \
                              f"{daemon.log_end()}"

    def suspend(self, daemon):
        daemon.process.send_signal(19)
        self.frozen.add(daemon)

    def wake(self, daemon):
        daemon.process.send_signal(18)
        self.frozen.discard(daemon)

    # ---- the run ----

    def feed(self):
        shop(self.topic, HISTORY, seed=self.number * 100)
        for number in range(1, CHUNKS_MAX):
            if number > 2 and self.over:
                return
            shop(self.topic, CHUNK, seed=self.number * 100 + number, pace=PACE, start_ms=now_ms())

    def at_work(self):
        """All partitions are owned and rows are there: what is done now is done to something."""
        def owned(daemon):
            with contextlib.suppress(OSError, RespError):
                return daemon.metric("freshet_partitions_assigned") or 0
            return 0
        with contextlib.suppress(redis_client.RedisError):
            return self.redis.client().dbsize() > 2 * PARTITIONS and \
                sum(map(owned, self.daemons)) == PARTITIONS
        return False

    def harm(self):
        for number, kind in enumerate(self.plan):
            if number == 0 or self.choice.random() < 0.7:
                wait_for(self.at_work, 60, "rows of all partitions")
            time.sleep(self.choice.uniform(0, 1))
            KINDS[kind](self)
            self.done.append(kind)

    def go(self):
        with self.cleanup:
            for daemon in self.daemons:
                daemon.start()
            feeder = threading.Thread(target=self.feed)
            with self.poller:
                feeder.start()
                try:
                    self.harm()
                finally:
                    self.over = True
                    for daemon in list(self.frozen):
                        self.wake(daemon)
                    feeder.join()
                self.settle()
            assert not self.poller.problems, self.poller.problems[:5]
            assert self.poller.reads > 0, "the poller has seen nothing"
            self.look_over()

    def settle(self):
        for daemon in self.daemons:
            self.alive(daemon)
        self.daemons[0].wait_caught_up(90, others=self.daemons[1:])

    def look_over(self):
        """All of Redis, all late and dead records, and what the daemons said of themselves."""
        said = self.daemons[0].assert_equal()
        fates = json.loads(re.search(r"^fates: (.*)$", said, re.MULTILINE).group(1))
        for kind, names in (("late", LATE), ("dead", DEAD)):
            stored = len(copies(self.topic.bootstrap, f"{self.topic.name}-{kind}"))
            wanted = sum(fates.get(name, 0) for name in names)
            assert stored == wanted, f"{stored} of {wanted} records in the topic of {kind} ones"
        for daemon in self.daemons:
            assert "identity_violated" not in daemon.log_text(), daemon.directory.name
            daemon.terminate()
