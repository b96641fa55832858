"""One shard: records in the order of the log to fates, watermark, sessions and what is kept."""
import heapq
from collections import Counter

from framing import fields_at
from kept import KeyState, Session, greater, pane_end, phase_of

MAX_TIME_MS = 253402300799999
MAX_KEY_BYTES = 512


class Outcome:
    """What one record did."""

    def __init__(self, fate, key=None, ts=None):
        self.fate, self.key, self.ts = fate, key, ts    # ts after T2
        self.session = None     # the one that the event entered
        self.made = False       # it made this session
        self.corrected = False  # a session that was closed when the event entered or made it
        self.replaced = ()      # sessions merged away


class Shard:
    def __init__(self, settings, features, watch_closing=False):
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
        self.tracker_path = settings.field("session.id")
        self.id_path = settings.field("event.id")
        self.dedup_window = settings["event.dedup_window"]
        self.dedup_max = settings["event.dedup_max"]
        self.keep = settings["state.keep"]
        self.max_keys = settings["state.max_keys"]
        self.windows = self._windows()
        self.lifetime = any(f.over == "lifetime" for f in features.features)
        self.next_offset = None
        self.raw = None
        self.as_of = 0          # of the last emission
        self.greatest_rts = None
        self.keys = {}          # key -> KeyState, of keys that are not forgotten
        self.newest_offset = {}     # key -> greatest accepted offset, also of forgotten keys
        self.ids = set()        # (key, event id) remembered
        self.id_heap = []       # (watermark up to which it is remembered, number, key, id)
        self.forget_heap = []   # (watermark, key)
        self.live_heap = []     # (deadline, number, state, session): immutable beyond it
        self.close_heap = [] if watch_closing else None  # (deadline in as_of, key, number, ...)
        self.pushed = 0
        self.fates = Counter()
        self.clamped = 0
        self.sessions_made = self.sessions_merged = 0

    def _windows(self):
        """{column: the (window, hop) pairs over it}"""
        found = {}
        for feature in self.features.features:
            if feature.hop is not None:
                found.setdefault(feature.column, set()).add((feature.over, feature.hop))
        return found

    @property
    def watermark(self):
        return None if self.raw is None else self.raw - self.slack

    @property
    def consumed(self):
        return sum(self.fates.values())

    def consume(self, offset, rts, read, watch=None):
        """Takes one record; read() gives (fate, None, None, None) or (None, key, ts, fields).

        watch.before(key, ts, raw) is called before anything changes by a record that will bring
        raw there, and watch.closed(sessions) when it has and the event is not in yet.
        """
        outcome = self._judge(offset, rts, read, watch)
        self.fates[outcome.fate] += 1
        return outcome

    def idle(self, as_of):
        """Emission by an idle partition: closes sessions, moves no watermark."""
        self.as_of = max(self.as_of, as_of)
        return self._closed()

    def _judge(self, offset, rts, read, watch):
        if self.next_offset is not None and offset < self.next_offset:
            return Outcome("replayed")
        self.next_offset = offset + 1
        own_rts = rts
        if rts is None:
            rts = self.greatest_rts
        elif not self.rts_max or rts <= self.rts_max:
            self.greatest_rts = rts if self.greatest_rts is None else max(self.greatest_rts, rts)
        fate, key, ts, fields = read()
        if fate in ("tombstone", "oversize", "unknown_schema", "undecodable"):
            return Outcome(fate)
        if fate == "bad_time" or self.rts_max and own_rts is not None and own_rts > self.rts_max:
            return Outcome("bad_time", key, ts)
        if fate is None and not 0 <= ts <= MAX_TIME_MS:
            return Outcome("bad_time", key, ts)
        if fate == "no_key" or not key or len(key) > MAX_KEY_BYTES:
            return Outcome("no_key", key, ts)
        if rts is None:
            rts = ts
        if ts > rts + self.skew:
            if self.reject:
                return Outcome("future", key, ts)
            self.clamped += 1
            ts = rts
        if self.max_age and ts + self.max_age < rts:
            return Outcome("too_old", key, ts)
        raw = min(ts, rts) if self.raw is None else max(self.raw, min(ts, rts))
        if watch:
            watch.before(key, ts, raw)
        if raw != self.raw:
            self._advance(raw)
        if watch:
            watch.closed(self._closed())
        outcome = self._place(offset, key, ts, fields)
        if outcome.fate in ("applied", "windows_only"):
            self._forget()
        return outcome

    def _advance(self, raw):
        self.raw = raw
        self.as_of = max(self.as_of, raw)
        self._retire()
        self._forget()
        while self.id_heap and self.id_heap[0][0] < self.watermark:
            _, _, key, id_ = heapq.heappop(self.id_heap)
            self.ids.remove((key, id_))

    def _place(self, offset, key, ts, fields):
        """The rest of the fates, with raw advanced."""
        where = self.features.where
        if where is not None and not where(fields, ts):
            return Outcome("filtered", key, ts)
        state, wm, order = self.keys.get(key), self.watermark, (ts, offset)
        tracker = fields_at(fields, self.tracker_path) if self.tracker_path else None
        ends = self.features.end_when is not None and self.features.end_when(fields, ts)
        joined = self._joined(state, order, tracker, ends) if state else []
        in_session = max([ts] + [s.last for s in joined]) + self.gap + self.lateness >= wm
        if not in_session and ts + self.window_lateness < wm:
            return Outcome("late", key, ts)
        if self._is_duplicate(key, ts, fields):
            return Outcome("duplicate", key, ts)
        if state is None:
            if len(self.keys) >= self.max_keys:
                return Outcome("over_capacity", key, ts)
            state = self.keys[key] = KeyState(phase_of(key))
        self._remember(key, ts, fields)
        self.newest_offset[key] = offset
        outcome = Outcome("applied" if in_session else "windows_only", key, ts)
        if in_session:
            self._enter(outcome, state, joined, order, tracker)
            if ends:
                outcome.session.end = greater(outcome.session.end, order)
        self._keep(key, state, outcome.session, order, fields)
        return outcome

    # Deduplication

    def _is_duplicate(self, key, ts, fields):
        return bool(self.id_path) and (key, fields_at(fields, self.id_path)) in self.ids

    def _remember(self, key, ts, fields):
        id_ = fields_at(fields, self.id_path) if self.id_path else None
        if id_ is not None and len(self.ids) < self.dedup_max and \
                ts + self.dedup_window >= self.watermark:
            self.ids.add((key, id_))
            self.pushed += 1
            heapq.heappush(self.id_heap, (ts + self.dedup_window, self.pushed, key, id_))

    # Sessions

    def _joined(self, state, order, tracker, ends):
        """The live sessions that an event joins, by start (S2, S10, S11, S12)."""
        ts, found = order[0], []
        for s in state.live:
            if s.start - self.gap <= ts <= s.last + self.gap and s.tracker == tracker and \
                    self._period(s.start) == self._period(ts):
                if s.end is None or order < s.end:
                    found.append(s)
        if len(found) > 1:
            found.sort(key=lambda s: (s.first, s.id))
            return self._not_parted(found, order if ends else None)
        return found

    @staticmethod
    def _not_parted(found, own_end):
        """Of sessions by start, the first ones that no end parts from each other.

        The event is below every end that a session had, so it is on the earlier side of the
        first end that parts them; likewise if it is that end itself.
        """
        end = own_end
        for i, session in enumerate(found):
            if end is not None and i > 0 and end < session.first:
                return found[:i]
            end = greater(end, session.end)
        return found

    def _period(self, ts):
        if self.cut_at < 0:
            return 0
        return (ts + self.zone - self.cut_at) // self.cut_every

    def _enter(self, outcome, state, joined, order, tracker):
        ts, wm = order[0], self.watermark
        if not joined:
            session = Session(order, tracker)
            session.rev = int(ts + self.gap < wm)
            state.live.append(session)
            self.sessions_made += 1
            outcome.made, outcome.corrected = True, self._is_closed(session)
            self._watch(state, session)
            self._watch_closing(outcome.key, state, session)
        else:
            session = min(joined, key=lambda s: s.id)
            outcome.corrected = any(self._is_closed(s) for s in joined)
            rev = sum(s.rev for s in joined)
            if any(s.last + self.gap < wm for s in joined):
                rev += len(joined)      # the event, and the merges
            outcome.replaced = [s for s in joined if s is not session]
            last = session.last
            for other in outcome.replaced:
                session.take(other)
                state.live.remove(other)
                self.sessions_merged += 1
            session.first, session.last = min(session.first, order), max(session.last, ts)
            session.rev = rev
            if session.last != last:
                self._watch_closing(outcome.key, state, session)
        session.count += 1
        outcome.session = session
        rank = lambda s: (s.last, s.id)
        if outcome.replaced:
            state.newest = max(state.sessions, key=rank)
        elif state.newest is None or rank(session) > rank(state.newest):
            state.newest = session

    def _is_closed(self, session):
        return session.last + self.gap < self.as_of - self.slack

    def _watch(self, state, session):
        self.pushed += 1
        deadline = session.last + self.gap + self.lateness
        heapq.heappush(self.live_heap, (deadline, self.pushed, state, session))

    def _retire(self):
        """Sessions that the watermark has made immutable are what `on = session` sees."""
        wm, heap = self.watermark, self.live_heap
        while heap and heap[0][0] < wm:
            _, _, state, session = heapq.heappop(heap)
            if session.gone:
                continue
            if session.last + self.gap + self.lateness >= wm:
                self._watch(state, session)
                continue
            state.live.remove(session)
            state.immutable.append(session)
            event, order = session.as_event(), (session.last, session.id)
            for column in self.features.session_columns:
                self._contribute(state, state.kept, column, order, event)

    def _watch_closing(self, key, state, session):
        if self.close_heap is not None and not self._is_closed(session):
            self.pushed += 1
            entry = (session.last + self.gap + self.slack, key, self.pushed, state, session)
            heapq.heappush(self.close_heap, entry)

    def _closed(self):
        """(key, state, session) of what as_of has closed since the last call."""
        found, heap = [], self.close_heap or ()
        while heap and heap[0][0] < self.as_of:
            deadline, key, _, state, session = heapq.heappop(heap)
            if not session.gone and session.last + self.gap + self.slack == deadline:
                found.append((key, state, session))
        return found

    # Contributions and forgetting

    def _keep(self, key, state, session, order, fields):
        """Keeps what an accepted event contributes and notes when the key will be forgotten."""
        first = state.forget_at is None
        for column in self.features.columns:
            if column.scope == "state":
                self._contribute(state, state.kept, column, order, fields)
            elif session is not None:
                self._contribute(None, session.kept, column, order, fields)
        if state.newest is not None:
            self._hold(state, state.newest.last + self.gap + max(self.lateness, self.keep) + 1)
        if state.forget_at is None:
            state.forget_at = self.watermark
        if first and not self.lifetime:
            heapq.heappush(self.forget_heap, (state.forget_at, key))

    def _contribute(self, state, kept, column, order, event):
        item = column.item(event, order[0])
        if item is None:
            return
        phase = state.phase if state else 0
        if kept.add(column, order, item, phase) and column in self.windows:
            for window, hop in self.windows[column]:
                self._hold(state, pane_end(order[0], hop, phase) + window)

    @staticmethod
    def _hold(state, until):
        """The key is not forgotten before the watermark gets there; it only ever moves up."""
        if state.forget_at is None or until > state.forget_at:
            state.forget_at = until

    def _forget(self):
        wm, heap = self.watermark, self.forget_heap
        while heap and heap[0][0] <= wm:
            _, key = heapq.heappop(heap)
            state = self.keys[key]
            if state.forget_at <= wm:
                del self.keys[key]
            else:
                heapq.heappush(heap, (state.forget_at, key))

    def sessions_total(self):
        return self.sessions_made - self.sessions_merged
