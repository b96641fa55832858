"""One shard: records in the order of the log to fates, watermark, sessions and kept events."""
import heapq
from collections import Counter

from evaluate import pane_end, phase_of

MAX_TIME_MS = 253402300799999
MAX_KEY_BYTES = 512


class Session:
    def __init__(self, id_, ts, event):
        self.id, self.start, self.last, self.rev = id_, ts, ts, 0
        self.events = [event]


class KeyState:
    """One life of a key. An event is (ts, offset, value of each column ...)."""

    def __init__(self, phase):
        self.phase = phase
        self.events = []        # applied and windows_only, in order of arrival
        self.sessions = []      # live and immutable
        self.forget_at = None   # the watermark at which it is forgotten; None = at once
        self.newest = None      # newest session's (last, id)


class Shard:
    def __init__(self, settings, features):
        self.features = features
        self.gap = settings["session.gap"]
        self.lateness = settings["session.lateness"]
        self.window_lateness = settings.window_lateness
        self.slack = settings["time.out_of_orderness"]
        self.skew = settings["time.max_future_skew"]
        self.reject = settings["time.future"] == "reject"
        self.max_age = settings["time.max_age"]
        self.rts_max = settings["time.rts_max"]
        self.zone = settings["time.zone_offset"]
        self.cut_at, self.cut_every = settings["session.cut_at"], settings["session.cut_every"]
        self.keep = settings["state.keep"]
        self.max_keys = settings["state.max_keys"]
        self.windows = self._windows()
        self.lifetime = any(f.over == "lifetime" for f in features.features)
        self.next_offset = None
        self.raw = None
        self.greatest_rts = None
        self.keys = {}          # key -> KeyState, of keys that are not forgotten
        self.newest_offset = {}     # key -> greatest accepted offset, also of forgotten keys
        self.heap = []
        self.fates = Counter()
        self.consumed = 0
        self.clamped = 0
        self.sessions_made = self.sessions_merged = 0
        self.on_event = None    # for tests: called with (fate, key, ts, offset)

    def _windows(self):
        """{column: the (window, hop) pairs over it}"""
        found = {}
        for feature in self.features.features:
            if feature.hop is not None:
                found.setdefault(feature.column, set()).add((feature.over, feature.hop))
        return [(column + 2, sorted(pairs)) for column, pairs in found.items()]

    @property
    def watermark(self):
        return None if self.raw is None else self.raw - self.slack

    def consume(self, offset, rts, read):
        """Takes one record; read() gives (fate, None, None, None) or (None, key, ts, fields)."""
        self.consumed += 1
        fate, key, ts = self._judge(offset, rts, read)
        self.fates[fate] += 1
        if self.on_event:
            self.on_event(fate, key, ts, offset)
        return fate

    def _judge(self, offset, rts, read):
        if self.next_offset is not None and offset < self.next_offset:
            return "replayed", None, None
        self.next_offset = offset + 1
        own_rts = rts
        if rts is None:
            rts = self.greatest_rts
        elif not self.rts_max or rts <= self.rts_max:
            self.greatest_rts = rts if self.greatest_rts is None else max(self.greatest_rts, rts)
        fate, key, ts, fields = read()
        if fate in ("tombstone", "oversize", "unknown_schema", "undecodable"):
            return fate, None, None
        if fate == "bad_time" or self.rts_max and own_rts is not None and own_rts > self.rts_max:
            return "bad_time", key, ts
        if fate is None and not 0 <= ts <= MAX_TIME_MS:
            return "bad_time", key, ts
        if fate == "no_key" or not key or len(key) > MAX_KEY_BYTES:
            return "no_key", key, ts
        if rts is None:
            rts = ts
        if ts > rts + self.skew:
            if self.reject:
                return "future", key, ts
            self.clamped += 1
            ts = rts
        if self.max_age and ts + self.max_age < rts:
            return "too_old", key, ts
        advance = min(ts, rts)
        if self.raw is None or advance > self.raw:
            self.raw = advance
            self._forget()
        fate = self._place(offset, key, ts, fields)
        if fate in ("applied", "windows_only"):
            self._forget()
        return fate, key, ts

    def _place(self, offset, key, ts, fields):
        where = self.features.where
        if where is not None and not where(fields, ts):
            return "filtered"
        state, wm = self.keys.get(key), self.watermark
        joined = self._joined(state, ts, wm) if state else []
        last = max([ts] + [session.last for session in joined])
        in_session = last + self.gap + self.lateness >= wm
        if not in_session and ts + self.window_lateness < wm:
            return "late"
        if state is None:
            if len(self.keys) >= self.max_keys:
                return "over_capacity"
            state = self.keys[key] = KeyState(phase_of(key))
        event = (ts, offset, *[column.value(fields, ts) for column in self.features.columns])
        state.events.append(event)
        self.newest_offset[key] = offset
        if in_session:
            self._enter(state, joined, event, wm)
        self._note_forget(key, state, event)
        return "applied" if in_session else "windows_only"

    def _joined(self, state, ts, wm):
        """The live sessions that an event at ts joins."""
        gap, dead = self.gap, wm - self.gap - self.lateness
        return [s for s in state.sessions
                if s.start - gap <= ts <= s.last + gap and s.last >= dead
                and self._period(s.start) == self._period(ts)]

    def _period(self, ts):
        if self.cut_at < 0:
            return 0
        return (ts + self.zone - self.cut_at) // self.cut_every

    def _enter(self, state, joined, event, wm):
        ts, offset = event[0], event[1]
        if not joined:
            session = Session(offset, ts, event)
            session.rev = int(ts + self.gap < wm)
            state.sessions.append(session)
            self.sessions_made += 1
        else:
            corrected = any(s.last + self.gap < wm for s in joined)
            rev = sum(s.rev for s in joined)
            if corrected:
                rev += 1 + len(joined) - 1
            session = min(joined, key=lambda s: s.id)
            for other in joined:
                if other is not session:
                    session.events += other.events
                    state.sessions.remove(other)
                    self.sessions_merged += 1
            session.start = min(ts, min(s.start for s in joined))
            session.last = max(ts, max(s.last for s in joined))
            session.events.append(event)
            session.rev = rev
        state.newest = max(state.newest or (session.last, session.id), (session.last, session.id))

    def _note_forget(self, key, state, event):
        """Moves the watermark at which the key is forgotten; it only ever moves up."""
        at = state.forget_at
        if state.newest is not None:
            ends = state.newest[0] + self.gap + max(self.lateness, self.keep) + 1
            at = ends if at is None else max(at, ends)
        for column, pairs in self.windows:
            if event[column] is not None:
                for window, hop in pairs:
                    ends = pane_end(event[0], hop, state.phase) + window
                    at = ends if at is None or ends > at else at
        if self.lifetime:
            return
        if at is None:
            at = self.watermark
        if state.forget_at is None:
            heapq.heappush(self.heap, (at, key))
        state.forget_at = at

    def _forget(self):
        wm, heap = self.watermark, self.heap
        while heap and heap[0][0] <= wm:
            _, key = heapq.heappop(heap)
            state = self.keys[key]
            if state.forget_at <= wm:
                del self.keys[key]
            else:
                heapq.heappush(heap, (state.forget_at, key))

    def sessions_total(self):
        return self.sessions_made - self.sessions_merged
