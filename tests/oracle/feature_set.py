"""The features file: each section as an operator over a column of the events."""
import expression
from expression import Compiler, ExpressionError, Parser
from settings import SettingsError, parse_duration, read_ini

LADDER_MS = [1000 * s for s in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200,
                                86400)]
FOLDED = {"count", "sum", "mean", "min", "max", "first", "last", "last_n", "last_distinct",
          "distinct"}
FRAME = {"session_id": "long", "session_number": "long", "session_start": "long",
         "session_last": "long", "session_duration": "long", "session_event_count": "long",
         "session_is_open": "bool", "prev_session_gap": "long", "mean_gap": "double"}
ZERO_WHEN_EMPTY = {"count", "sum", "distinct", "session_event_count"}


def hop_of(window_ms):
    """The largest step of the ladder that divides the window and is at most 1/48 of it."""
    fits = [step for step in LADDER_MS if window_ms % step == 0 and step * 48 <= window_ms]
    return max(fits, default=1000)


class Feature:
    """One feature. `kind` is its scalar type; `listed` says that it is a list of it."""

    def __init__(self, name):
        self.name = name
        self.op = None
        self.over = None        # "session", "lifetime", a window in ms, or None
        self.hop = None
        self.limit = None       # n of last_n and last_distinct
        self.kind = None
        self.listed = False
        self.column = None      # index of its column in an event's tuple
        self.operands = None    # (a, b, alpha, beta) of a ratio
        self.empty = None       # the value when there is nothing


class Column:
    """What one (where, argument) takes from an event: a value, or None if it does not count."""

    def __init__(self, where, argument):
        self.where, self.argument = where, argument

    def value(self, event, ts):
        if self.where is not None and not self.where(event, ts):
            return None
        if self.argument is None:
            return True
        value = self.argument(event, ts)
        if value is not value or value in (float("inf"), float("-inf")):
            return None
        return value


class FeatureSet:
    """All features with their columns, compiled against the reader schema."""

    def __init__(self, sections, reader, settings):
        self.compiler = Compiler(reader, settings["time.zone_offset"])
        self.features, self.columns, self.by_name = [], [], {}
        self._known, self._paths = {}, []
        text = settings["event.where"].strip()
        self.where = self._condition(text) if text else None
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

    def _parse(self, text):
        tree = expression.parse(text)
        self._paths += expression.paths_of(tree)
        return tree

    def _condition(self, text):
        return self.compiler.condition(self._parse(text))

    def _feature(self, name, entries):
        unknown = set(entries) - {"op", "over", "where", "default", "hop"}
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
        elif feature.op in FOLDED:
            self._folded(feature, inside, entries)
        else:
            raise ExpressionError(f"unknown operator {feature.op}")
        feature.empty = empty_value(feature, entries.get("default"))
        return feature

    def _folded(self, feature, inside, entries):
        over = entries["over"].strip()
        if over in ("session", "lifetime"):
            feature.over = over
        else:
            feature.over = parse_duration(over)
            feature.hop = parse_duration(entries["hop"]) if "hop" in entries \
                else hop_of(feature.over)
        argument, kind = None, None
        if inside:
            parser = Parser(inside)
            tree = parser.either()
            if parser.take("sign", ","):
                feature.limit = parser.take("number")
            parser.done()
            self._paths += expression.paths_of(tree)
            kind, argument = self.compiler.compile(tree)
        where = entries.get("where", "").strip()
        feature.column = self._column(where, inside if feature.limit is None else
                                      inside.rpartition(",")[0], argument)
        feature.listed = feature.op in ("last_n", "last_distinct")
        feature.kind = {"count": "long", "distinct": "long", "mean": "double"}.get(
            feature.op, kind)
        if feature.listed != (feature.limit is not None) or (not inside and feature.op != "count"):
            raise ExpressionError(f"wrong arguments of {feature.op}")

    def _column(self, where, inside, argument):
        key = where, inside.strip()
        if key not in self._known:
            self._known[key] = len(self.columns)
            self.columns.append(Column(self._condition(where) if where else None, argument))
        return self._known[key]


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
        if feature.op in ZERO_WHEN_EMPTY:
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
