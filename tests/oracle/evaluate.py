"""A key's state to the values of its row, straight from the definitions."""
import math

from kept import tail_of


def frame(feature, session, sessions, closed):
    """A fact of the shown session."""
    op = feature.op
    if op == "session_id":
        return session.id
    if op == "session_number":
        return 1 + sum(other.start < session.start for other in sessions)
    if op == "session_start":
        return session.start
    if op == "session_last":
        return session.last
    if op == "session_duration":
        return session.last - session.start
    if op == "session_event_count":
        return session.count
    if op == "session_is_open":
        return not closed
    if op == "prev_session_gap":
        before = [other for other in sessions if other.start < session.start]
        if not before:
            return feature.empty
        return session.start - max(before, key=lambda other: (other.start, other.last)).last
    return feature.empty if session.count < 2 else session.mean_gap


class Row:
    """The values of one key at one as_of."""

    def __init__(self, values, rev, empty):
        self.values, self.rev, self.empty = values, rev, empty


class Evaluator:
    """Rows of a feature set under a configuration."""

    def __init__(self, features, settings):
        self.features = features.features
        self.by_name = features.by_name
        self.gap = settings["session.gap"]
        self.keep = settings["state.keep"]
        self.slack = settings["time.out_of_orderness"]
        self.nothing = {}       # every feature's value when there is nothing
        for feature in self.features:
            if feature.operands is None:
                self.nothing[feature.name] = feature.empty
        self._ratios(self.nothing)

    def is_closed(self, session, as_of):
        return session.last + self.gap < as_of - self.slack

    def shown(self, state, as_of):
        """The key's newest session, or None when it is no longer shown."""
        newest = state.newest
        if newest is None or as_of - self.slack > newest.last + self.gap + self.keep:
            return None
        return newest

    def row(self, key, state, as_of, session=None):
        """The row of a key; of a given session instead of the shown one."""
        session = session or self.shown(state, as_of)
        values = {}
        for feature in self.features:
            column = feature.column
            if column is not None:
                if feature.over == "session":
                    items = session.kept.items(column) if session else ()
                elif feature.over == "lifetime":
                    items = state.kept.items(column)
                else:
                    tail = tail_of(as_of, feature.over, feature.hop, state.phase)
                    items = state.kept.since(column, tail)
                values[feature.name] = feature.value(items)
            elif feature.operands is None:
                values[feature.name] = frame(feature, session, state.sessions,
                                             self.is_closed(session, as_of)) \
                    if session else feature.empty
        self._ratios(values)
        return Row(values, session.rev if session else 0, values == self.nothing)

    def _ratios(self, values):
        for feature in self.features:
            if feature.operands is not None:
                self._ratio(feature, values)

    def _ratio(self, feature, values):
        one, two, alpha, beta = feature.operands
        for name in (one, two):
            if name not in values:
                self._ratio(self.by_name[name], values)
        values[feature.name] = ratio(values[one], values[two], alpha, beta, feature.empty)


def ratio(one, two, alpha, beta, empty):
    if one is None or two is None:
        return empty
    divisor = float(two) + alpha + beta
    if divisor == 0:
        return empty
    result = (float(one) + alpha) / divisor
    return result if math.isfinite(result) else empty
