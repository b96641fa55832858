"""Seeded event streams with every kind of disorder, as JSON lines of every.avsc."""
import random

START_MS = 1700000000000
PARTITIONS = 3
ITEMS = ["hat", "coat", "é", "", "a\"b\\c", "日本", "zebra", "Zebra", "shoe", "x" * 70]
PRICES = [0.0, -0.0, 1e300, -1e18, 2.0 ** -41, 3 * 2.0 ** -41, 1e-9, 0.1, 19.99, 7.0, -3.25]
LONGS = [0, 1, -1, 7, 7, 42, (1 << 63) - 1, -(1 << 63), 1 << 53, (1 << 53) + 1]


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
        """About so many lines."""
        keys, active = max(4, count // self.per_key), []
        for _ in range(count):
            self._pass_time()
            if self.random.random() < 0.05 or not active:
                active = [self.random.randrange(keys) for _ in range(self.random.randint(1, 6))]
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
        for share, bound in ((0.55, 0), (0.7, self.slack), (0.8, self.slack + self.lateness),
                             (0.88, self.gap + self.lateness + self.slack),
                             (0.93, self.window_lateness + self.slack + 2 * self.gap),
                             (0.95, 3 * (self.max_age or self.gap)), (0.98, -self.skew)):
            if pick < share:
                return int(some * bound)
        return -self.skew - self.random.choice([0, 1, 60000, 86400000])

    def _placed(self, partition, line, when=None):
        """The line with its partition, an offset (with gaps, some below) and a record time."""
        self.offsets[partition] += 1 if self.random.random() < 0.97 else self.random.randint(2, 50)
        offset = self.offsets[partition]
        if self.random.random() < 0.005:
            offset = max(0, offset - self.random.randint(1, 20))
        line.update({"@partition": partition, "@offset": offset})
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
