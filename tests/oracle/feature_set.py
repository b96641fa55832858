"""The features file: each section as an operator over a column of the events."""
import json

import avro_schema
import expression
import operators
from expression import Compiler, ExpressionError
from settings import SettingsError, parse_duration, read_ini

LADDER_MS = [1000 * s for s in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200,
                                86400)]
FRAME = {"session_id": "long", "session_number": "long", "session_start": "long",
         "session_last": "long", "session_duration": "long", "session_event_count": "long",
         "session_is_open": "bool", "prev_session_gap": "long", "mean_gap": "double"}
MAX_CAP = 1024
# What a feature `on = session` sees instead of an event.
CLOSED_SESSION = {"type": "record", "name": "ClosedSession", "fields": [
    {"name": name, "type": "long"} for name in (
        "session_id", "session_start", "session_last", "session_duration",
        "session_event_count")] + [{"name": "mean_gap", "type": ["null", "double"]}]}


def hop_of(window_ms):
    """The largest step of the ladder that divides the window and is at most 1/48 of it."""
    fits = [step for step in LADDER_MS if window_ms % step == 0 and step * 48 <= window_ms]
    return max(fits, default=1000)


class Feature:
    """One feature. `kind` is its scalar type; `listed` says that it is a list of it."""

    def __init__(self, name):
        self.name = name
        self.op = None
        self.operator = None    # its row in operators.TABLE, if it has one
        self.over = None        # "session", "lifetime", a window in ms, or None
        self.hop = None         # of a window
        self.argument_kind = None
        self.parameter = None   # n, q or half-life
        self.by_kind = None     # type of its groups, if it is map-valued
        self.cap = None         # groups shown
        self.kind = None
        self.listed = False
        self.column = None      # what it takes of an event or a closed session
        self.operands = None    # (a, b, alpha, beta) of a ratio
        self.empty = None       # the value when there is nothing

    def value(self, items):
        """The operator over contributions in the order of (ts, offset)."""
        if not items:
            return self.empty
        if self.by_kind is None:
            return self.operator.combine(items, self)
        groups = {}
        for group, item in items:
            groups.setdefault(group, []).append(item)
        chosen = sorted(groups, key=lambda group: (-len(groups[group]), group))[:self.cap]
        return {group_name(self.by_kind, group): self.operator.combine(groups[group], self)
                for group in sorted(chosen)}


def group_name(kind, group):
    """A group as the name of a JSON object's member."""
    if kind == "bool":
        return "true" if group else "false"
    return group if kind == "string" else number_text(group)


def number_text(value):
    """A number as rows show it: the shortest decimals that read back."""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


class Column:
    """What features take from an event (or a closed session): its contribution, or None.

    `scope` says where contributions are kept: "session" or "state". `names(item)` are the values
    of which a pane keeps only so many; `hop` is the pane's (None: one pane for ever).
    """

    def __init__(self, where, argument, by, contribute, scope):
        self.where, self.argument, self.by = where, argument, by
        self.contribute, self.scope = contribute, scope
        self.names, self.hop = None, None

    def item(self, event, ts):
        if self.where is not None and not self.where(event, ts):
            return None
        value = True
        if self.argument is not None:
            value = self.argument(event, ts)
            if no_value(value):
                return None
        if self.by is None:
            return self.contribute(value, ts)
        group = self.by(event, ts)
        return None if no_value(group) else (group, self.contribute(value, ts))


def no_value(value):
    return value is None or value is not value or value in (float("inf"), float("-inf"))


class FeatureSet:
    """All features with their columns, compiled against the reader schema."""

    def __init__(self, sections, reader, settings):
        self.compiler = Compiler(reader, settings["time.zone_offset"])
        self.session_compiler = Compiler(avro_schema.parse(json.dumps(CLOSED_SESSION)),
                                         settings["time.zone_offset"])
        self.features, self.by_name = [], {}
        self.columns, self.session_columns = [], []     # of events, of closed sessions
        self._known, self._paths = {}, []
        self.where = self._whole("event.where", settings)
        self.end_when = self._whole("session.end_when", settings)
        for name, entries in sections:
            try:
                feature = self._feature(name, dict(entries))
            except (ValueError, KeyError) as error:
                raise SettingsError(f"feature {name}: {error}") from error
            if name in self.by_name:
                raise SettingsError(f"feature {name} is defined twice")
            self.by_name[name] = feature
            self.features.append(feature)
        for feature in self.features:
            for operand in (feature.operands or ())[:2]:
                if operand not in self.by_name:
                    raise SettingsError(f"feature {feature.name}: no feature {operand}")

    def needed(self, *more):
        """The tree of reader fields that expressions and the given paths read."""
        tree = {}
        for path in self._paths + [entry.split(".") for entry in more]:
            place = tree
            for step in path[:-1]:
                place = place.setdefault(step, {}) if place is not True else True
            if place is not True:
                place[path[-1]] = True
        return tree

    def _parse(self, text, on="event"):
        tree = expression.parse(text)
        if on == "event":
            self._paths += expression.paths_of(tree)
        return tree

    def _whole(self, name, settings):
        """A condition of the configuration, or None."""
        text = settings[name].strip()
        return self.compiler.condition(self._parse(text)) if text else None

    def _feature(self, name, entries):
        unknown = set(entries) - {"op", "over", "where", "default", "hop", "by", "cap", "on"}
        if unknown:
            raise ExpressionError(f"not understood: {', '.join(sorted(unknown))}")
        feature, op = Feature(name), entries["op"].strip()
        feature.op = op.partition("(")[0].strip()
        inside = op.partition("(")[2].rstrip()
        if inside and not inside.endswith(")"):
            raise ExpressionError("( without )")
        inside = inside[:-1].strip()
        if feature.op in FRAME:
            feature.kind = FRAME[feature.op]
        elif feature.op == "ratio":
            feature.kind, feature.operands = "double", ratio_operands(inside)
        elif feature.op in operators.TABLE:
            self._folded(feature, inside, entries)
        else:
            raise ExpressionError(f"unknown operator {feature.op}")
        feature.empty = empty_value(feature, entries.get("default"))
        return feature

    def _folded(self, feature, inside, entries):
        operator = feature.operator = operators.TABLE[feature.op]
        over = entries.get("over", "lifetime" if feature.op == "decayed_sum" else "").strip()
        if over in ("session", "lifetime"):
            feature.over = over
        else:
            feature.over = parse_duration(over)
            feature.hop = parse_duration(entries["hop"]) if "hop" in entries \
                else hop_of(feature.over)
        if feature.op == "decayed_sum" and over != "lifetime":
            raise ExpressionError("decayed_sum is over lifetime")
        if operator.parameter is not None:
            inside, _, text = inside.rpartition(",")
            feature.parameter = operators.parse_parameter(operator.parameter, text,
                                                          parse_duration)
        if not inside and not operator.bare:
            raise ExpressionError(f"{feature.op} needs an argument")
        feature.column = self._column(feature, inside.strip(), entries)
        feature.listed = operator.listed
        feature.kind = operator.kind or feature.argument_kind

    def _column(self, feature, inside, entries):
        """The column of these words, shared by all features that take the same."""
        on = entries.get("on", "event").strip()
        where, by = entries.get("where", "").strip(), entries.get("by", "").strip()
        if on not in ("event", "session") or on == "session" and feature.over == "session":
            raise ExpressionError(f"on = {on} over = {feature.over}")
        compiler = self.session_compiler if on == "session" else self.compiler
        argument = group = None
        if inside:
            feature.argument_kind, argument = compiler.compile(self._parse(inside, on))
            if feature.operator.numeric and feature.argument_kind not in ("long", "double"):
                raise ExpressionError(f"{feature.op} of a {feature.argument_kind}")
        if by:
            feature.by_kind, group = compiler.compile(self._parse(by, on))
            feature.cap = int(entries.get("cap", 32))
            if feature.operator.listed or not 1 <= feature.cap <= MAX_CAP or "default" in entries:
                raise ExpressionError("by: not with this operator, cap or default")
        scope = "session" if feature.over == "session" else "state"
        operator = feature.operator
        bounded = bool(by) or operator.bounded
        key = (on, where, inside, by, operator.contribute, feature.argument_kind,
               feature.parameter if feature.op == "decayed_sum" else None, scope,
               (feature.over, feature.hop, feature.op) if bounded else None)
        if key not in self._known:
            condition = compiler.condition(self._parse(where, on)) if where else None
            column = self._known[key] = Column(
                condition, argument, group,
                operator.contribute(feature.argument_kind, feature.parameter), scope)
            if bounded:
                column.hop = feature.hop
                column.names = names_of(bool(by), operator.bounded)
            (self.session_columns if on == "session" else self.columns).append(column)
        return self._known[key]


def names_of(grouped, bounded):
    """What of a contribution a pane keeps only so many of: the group, in it the value."""
    if grouped:
        return (lambda item: item) if bounded else (lambda item: item[:1])
    return lambda item: (item,)


def ratio_operands(inside):
    parts = [part.strip() for part in inside.split(",")]
    if len(parts) < 2:
        raise ExpressionError("ratio needs two features")
    extra = {"alpha": 0.0, "beta": 0.0}
    for part in parts[2:]:
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if name not in extra or not sign:
            raise ExpressionError(f"unexpected {part!r}")
        extra[name] = float(value)
    return parts[0], parts[1], extra["alpha"], extra["beta"]


def empty_value(feature, text):
    """What stands there when there is nothing: `default`, else 0 or null."""
    if text is None:
        if feature.by_kind is not None:
            return None
        if feature.op == "session_event_count" or feature.operator and \
                feature.operator.empty == 0:
            return 0.0 if feature.kind == "double" else 0
        return False if feature.op == "session_is_open" else None
    try:
        tree = expression.parse(text)
    except ExpressionError:
        tree = ("path", (text,))
    if tree[0] == "path" and feature.kind == "string":
        return text
    if tree[0] == "negate" and tree[1][0] == "literal":
        tree = ("literal", -tree[1][1])
    if tree[0] != "literal" or feature.listed and tree[1] is not None:
        raise ExpressionError(f"default {text!r} is not a value of this feature")
    value = tree[1]
    if feature.kind == "double" and isinstance(value, int):
        return float(value)
    return value


def load(path, reader, settings):
    sections = {}
    for section, key, value, number in read_ini(path):
        kind, _, name = section.partition(" ")
        if kind != "feature" or not name.strip():
            raise SettingsError(f"{path}:{number}: unexpected section [{section}]")
        sections.setdefault(name.strip(), []).append((key, value))
    return FeatureSet(list(sections.items()), reader, settings)
