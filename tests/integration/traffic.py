"""Seeded events for tests, and a reader that watches rows while they are written."""
import random
import threading
import time

import redis as redis_client
from harness import click, client, now_ms

TYPES = ("impression", "impression", "impression", "click", "view", "add_to_cart", "purchase")


def shop(topic, count, seed, users=50, start_ms=None, span_ms=6 * 3600_000, late=0.01,
         malformed=0.005, disorder=0.05, pace=None):
    """Produces `count` events that end at start_ms + span_ms, or now; `pace` = events a second."""
    choice = random.Random(seed)
    begin = start_ms if start_ms is not None else now_ms() - span_ms
    began = time.monotonic()
    for number in range(count):
        rts = begin + span_ms * number // count if start_ms is None else begin + number
        user = f"user{min(int(choice.paretovariate(0.6)), users)}"
        ts = rts
        if choice.random() < late:
            ts -= choice.randrange(3 * 3600_000)
        elif choice.random() < disorder:
            ts -= choice.randrange(5000)
        if choice.random() < malformed:
            topic.raw(user, choice.randbytes(choice.randrange(1, 60)), rts)
        else:
            kind = choice.choice(TYPES)
            price = round(choice.uniform(1, 100), 2) if kind == "purchase" else None
            topic.click(user, ts, kind, rts=rts, item_id=f"item{choice.randrange(30)}",
                        price=price, writer=choice.choice(("v1", "v2")))
        if pace and number % 100 == 0:
            time.sleep(max(0.0, began + number / pace - time.monotonic()))
    topic.flush()


class Poller:
    """Reads random rows all the time; a row whose _as_of or _o goes back is a problem."""

    def __init__(self, redis, pause=0.001):
        self.redis = redis
        self.pause = pause
        self.problems = []
        self.reads = 0
        self.seen = {}
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.poll, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def forget(self):
        """After a loss of data that we caused, rows may go back once."""
        with self.lock:
            self.seen.clear()

    def connect(self):
        return client(self.redis, retry=None)

    def poll(self):
        peer = self.connect()
        while not self.ended.wait(self.pause):
            with self.lock:
                try:
                    key = peer.randomkey()
                    if key is None or not key.startswith(b"features:"):
                        continue
                    values = peer.hmget(key, "_as_of", "_o")
                except redis_client.RedisError:
                    time.sleep(0.05)
                    continue
                if None in values:
                    continue
                now = tuple(map(int, values))
                before = self.seen.get(key, now)
                if now[0] < before[0] or now[1] < before[1]:
                    self.problems.append(f"{key} went from {before} to {now}")
                self.seen[key] = now
                self.reads += 1
