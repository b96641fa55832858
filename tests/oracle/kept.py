"""What is kept of a key and of a session: contributions by column, in the order of (ts, offset)."""
from bisect import bisect_left

import xxhash

DAY_MS = 86400000
NAMES_KEPT = 4096       # values or groups of a bounded column in one pane


def phase_of(key):
    return xxhash.xxh64_intdigest(key, 0) % DAY_MS


def tail_of(as_of, window, hop, phase):
    """Events with ts at or after this are in the window."""
    return (as_of - window - phase) // hop * hop + phase


def pane_end(ts, hop, phase):
    return ((ts - phase) // hop + 1) * hop + phase


class Kept:
    """Contributions of each column."""

    __slots__ = ("columns", "names")

    def __init__(self):
        self.columns = {}       # column -> ([order], [contribution]), ascending
        self.names = None       # (column, pane, name...) -> names seen in it

    def add(self, column, order, item, phase=0):
        """Adds what an event at order = (ts, offset) contributes."""
        if column.names is not None and not self._has_room(column, order, item, phase):
            return False
        if column not in self.columns:
            self.columns[column] = ([order], [item])
            return True
        orders, items = self.columns[column]
        at = len(orders) if order > orders[-1] else bisect_left(orders, order)
        orders.insert(at, order)
        items.insert(at, item)
        return True

    def _has_room(self, column, order, item, phase):
        """Whether the pane keeps the item's group and value; both are kept from now on if so."""
        if self.names is None:
            self.names = {}
        place = (column, (order[0] - phase) // column.hop if column.hop else 0)
        for name in column.names(item):
            names = self.names.setdefault(place, set())
            if name not in names and len(names) >= NAMES_KEPT:
                return False
            names.add(name)
            place += (name,)
        return True

    def items(self, column):
        return self.columns[column][1] if column in self.columns else []

    def since(self, column, tail):
        """Contributions of events with ts at or after the tail."""
        if column not in self.columns:
            return []
        orders, items = self.columns[column]
        return items[bisect_left(orders, (tail,)):]

    def take(self, other):
        """Adds all of another, as when sessions merge."""
        for column, (orders, items) in other.columns.items():
            for order, item in zip(orders, items):
                self.add(column, order, item)


class Session:
    """One session of a key."""

    __slots__ = ("id", "tracker", "first", "last", "end", "count", "rev", "kept", "gone",
                 "told")

    def __init__(self, order, tracker):
        self.id, self.tracker = order[1], tracker
        self.first = order      # smallest (ts, offset)
        self.last = order[0]
        self.end = None         # greatest (ts, offset) for which end_when is true
        self.count, self.rev = 0, 0
        self.kept = Kept()
        self.gone = False       # merged into another
        self.told = False       # a row has shown it closed, or corrected

    @property
    def start(self):
        return self.first[0]

    @property
    def mean_gap(self):
        return None if self.count < 2 else (self.last - self.start) / (self.count - 1)

    def take(self, other):
        """Merges another into this one, but for ids and revisions."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.end = greater(self.end, other.end)
        self.count += other.count
        self.kept.take(other.kept)
        other.gone = True

    def as_event(self):
        """What a feature `on = session` sees."""
        return {"session_id": self.id, "session_start": self.start, "session_last": self.last,
                "session_duration": self.last - self.start,
                "session_event_count": self.count, "mean_gap": self.mean_gap}


def greater(one, two):
    return max(filter(None, (one, two)), default=None)


class KeyState:
    """One life of a key."""

    __slots__ = ("phase", "kept", "live", "immutable", "newest", "forget_at")

    def __init__(self, phase=0):
        self.phase = phase
        self.kept = Kept()      # of applied and windows_only events, and of closed sessions
        self.live = []
        self.immutable = []
        self.newest = None      # the newest session: greatest (last, id)
        self.forget_at = None   # the watermark at which it is forgotten; None = not yet known

    @property
    def sessions(self):
        return self.live + self.immutable
