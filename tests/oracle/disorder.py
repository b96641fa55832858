"""Seeded event streams with every kind of disorder, as JSON lines of every.avsc."""
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
START_MS = 1700000000000
END_MS = START_MS + 700 * 86400000      # no stream comes near
PARTITIONS = 3
ITEMS = ["hat", "coat", "é", "", "a\"b\\c", "日本", "zebra", "Zebra", "shoe", "x" * 70]
PRICES = [0.0, -0.0, 1e300, -1e18, 2.0 ** -41, 3 * 2.0 ** -41, 1e-9, 0.1, 19.99, 7.0, -3.25]
LONGS = [0, 1, -1, 7, 7, 42, (1 << 63) - 1, -(1 << 63), 1 << 53, (1 << 53) + 1]


BASE = {"event.key": "who", "event.time": "at", "schema.framing": "raw",
        "schema.reader": os.path.join(HERE, "every.avsc")}
FEATURES = {"windows": os.path.join(HERE, "every-features.ini"),
            "lifetime": os.path.join(HERE, "every-lifetime.ini")}
# Configurations, one a seed: between them every rule is at work.
WORLDS = {
    1: {"session.gap": "10m", "state.keep": "1h"},
    2: {"session.gap": "5m", "session.lateness": "3m", "time.out_of_orderness": "30s",
        "session.end_when": 'kind == "end"', "state.keep": "10m", "state.max_keys": "6",
        "time.future": "reject"},
    3: {"session.gap": "10m", "session.lateness": "1m", "time.out_of_orderness": "2m",
        "session.id": "visit", "event.id": "id", "event.dedup_window": "1h",
        "time.max_age": "3h", "session.cut_every": "1h", "session.cut_at": "00:30",
        "time.zone_offset": "-03:30"},
    4: {"session.gap": "3m", "session.lateness": "10m", "time.out_of_orderness": "1m",
        "session.id": "visit", "session.end_when": 'kind == "end" and small > 0',
        "event.id": "id", "event.dedup_max": "30", "event.where": 'kind != "bot"',
        "state.keep": "0", "time.window_lateness": "2h"},
    5: {"session.gap": "5m", "session.lateness": "20m", "time.out_of_orderness": "0",
        "time.max_future_skew": "0", "session.cut_at": "off", "state.keep": "2h"}}



def values_of(seed, features="windows"):
    """The configuration of a world."""
    values = {**BASE, **WORLDS[seed], "features.file": FEATURES[features]}
    if features == "lifetime" and "state.max_keys" in values:
        values["state.max_keys"] = "250"    # nothing makes room again
    return values


class Stream:
    """Lines in the order of arrival. Lags and gaps are shares of the settings' own bounds."""

    def __init__(self, seed, settings, events_per_key=120):
        self.random = random.Random(seed)
        self.gap = settings["session.gap"]
        self.slack = settings["time.out_of_orderness"]
        self.lateness = settings["session.lateness"]
        self.window_lateness = settings.window_lateness
        self.skew = settings["time.max_future_skew"]
        self.max_age = settings["time.max_age"]
        self.keep = settings["state.keep"]
        self.per_key = events_per_key
        self.now = START_MS
        self.offsets = [0] * PARTITIONS
        self.sent = []          # lines that may come again
        self.number = 0

    def lines(self, count):
        """So many lines. Some 20 keys are busy at a time; old ones come back now and then."""
        active = []
        for number in range(count):
            self._pass_time()
            if self.random.random() < 0.05 or not active:
                newest = number // self.per_key + 20
                reach = 20 if self.random.random() < 0.9 else newest
                active = [newest - self.random.randrange(reach)
                          for _ in range(self.random.randint(1, 6))]
            if self.random.random() < 0.004:
                yield self._idle()
            elif self.random.random() < 0.01:
                yield self._broken()
            elif self.random.random() < 0.04 and self.sent:
                yield self._again()
            else:
                yield self._event(self.random.choice(active))

    def _pass_time(self):
        chance, step = self.random.random(), self.random.expovariate(1)
        if chance < 0.9:
            self.now += int(step * self.gap / 40)
        elif chance < 0.99:
            self.now += int(step * self.gap)
        elif chance < 0.9985:
            self.now += int(step * 20 * self.gap)
        else:
            self.now += int(step * (self.keep + 100 * self.gap))

    def _lag(self):
        """How far event time is behind record time; negative = ahead."""
        pick, some = self.random.random(), self.random.random()
        for share, bound in ((0.4, 0), (0.5, self.slack), (0.65, self.slack + self.lateness),
                             (0.85, self.gap + self.lateness + self.slack),
                             (0.9, self.window_lateness + self.slack + 2 * self.gap),
                             (0.92, 3 * (self.max_age or self.gap)), (0.97, -self.skew)):
            if pick < share:
                return int(some * bound)
        return -self.skew - self.random.choice([0, 1, 60000, 86400000])

    def _placed(self, partition, line, when=None):
        """The line with its partition, sometimes an offset (with a gap), and a record time."""
        line["@partition"] = partition
        self.offsets[partition] += 1
        if self.random.random() < 0.2:
            self.offsets[partition] += self.random.choice([0, 0, 1, 50])
            line["@offset"] = self.offsets[partition] - 1
        chance = self.random.random()
        if chance < 0.9:
            line["@timestamp"] = self.now if when is None else when
        elif chance < 0.95:     # an older record time: another producer
            line["@timestamp"] = max(0, self.now - self.random.randint(0, 2 * self.gap))
        return line

    def _maybe(self, values, null=0.15):
        return None if self.random.random() < null else self.random.choice(values)

    def _event(self, number):
        rng = self.random
        self.number += 1
        at = self.now - self._lag()
        if rng.random() < 0.1:
            at -= at % 1000         # equal times
        line = {"who": f"user {number}", "at": at, "id": self._maybe([f"i{self.number}"], 0.05),
                "visit": self._maybe([number % 2, 3]),
                "kind": rng.choice(["view"] * 6 + ["click"] * 4 + ["buy"] * 2 + ["end", "bot"]),
                "item": self._maybe(ITEMS), "n": self._maybe(LONGS + [rng.randrange(20)] * 20),
                "price": self._maybe(PRICES + [round(rng.uniform(-9, 99), 2)] * 20),
                "flag": self._maybe([True, False])}
        if rng.random() < 0.8:
            line["small"] = rng.randrange(-3, 9)
        if rng.random() < 0.7:
            line["page"] = {"url": f"/{rng.randrange(9)}", "depth": self._maybe([1, 2, 3, 40])}
        self.sent.append(dict(line))
        del self.sent[:-500]
        return self._placed(number % PARTITIONS, line)

    def _again(self):
        """An event a second time, as it was or with another time under the same id."""
        line = dict(self.random.choice(self.sent[-self.random.choice([3, 30, 500]):]))
        if self.random.random() < 0.3:
            line["at"] = self.now - self._lag()
        return self._placed(int(line["who"].split()[1]) % PARTITIONS, line)

    def _broken(self):
        line = self._event(self.random.randrange(6))
        partition, kind = line["@partition"], self.random.randrange(4)
        if kind == 0:
            line["who"] = self.random.choice([None, "", "k" * 513])
        elif kind == 1:
            line["at"] = self.random.choice([-1, 253402300800000])
        elif kind == 2:
            place = {name: value for name, value in line.items() if name[0] == "@"}
            return {"@value": None, **place}
        else:
            line["who"] = f"once {partition} {self.number}"
        return line

    def _idle(self):
        ahead = self.random.choice([0, self.gap // 2, self.gap, 2 * self.gap, self.gap * 30])
        return {"@op": "idle", "@partition": self.random.randrange(PARTITIONS),
                "as_of": self.now + ahead}
