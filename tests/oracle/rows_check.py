"""Compares rows as Redis holds them (layout hash) with the recomputed ones."""
import json
import re

from feature_set import number_text
from kept import KeyState

LONG = re.compile(rb"-?(0|[1-9]\d*)\Z")
DOUBLE = re.compile(rb"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
MARKS = (b"_as_of", b"_rev", b"_v", b"_p", b"_o", b"_w")


class Unreadable(ValueError):
    """A value in Redis is not of its feature's kind."""


def scalar(kind, text):
    if kind == "bool":
        if text not in (b"0", b"1"):
            raise Unreadable("not 0 or 1")
        return text == b"1"
    if kind == "long":
        if not LONG.match(text):
            raise Unreadable("not a long")
        return int(text)
    if kind == "double":
        if not DOUBLE.match(text):
            raise Unreadable("not a double")
        return float(text)
    return text.decode("utf-8") if kind == "string" else text


def from_json(text, wanted):
    try:
        found = json.loads(text, object_pairs_hook=members)
    except ValueError:
        raise Unreadable("not JSON") from None
    if not isinstance(found, wanted):
        raise Unreadable(f"not a {wanted.__name__}")
    return found


def members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def json_item(kind, item):
    """A value inside a list or map."""
    wanted = {"bool": (bool, int), "long": int, "double": (int, float)}.get(kind, str)
    if not isinstance(item, wanted) or kind != "bool" and isinstance(item, bool):
        raise Unreadable(f"{item!r} is not a {kind}")
    cast = {"bool": bool, "double": float, "bytes": lambda item: item.encode("latin-1")}
    return cast[kind](item) if kind in cast else item


def value_of_json(feature, value):
    """The value of a feature that stands as parsed JSON."""
    if value is None:
        return None
    if feature.by_kind is not None:
        return {name: json_item(feature.kind, item) for name, item in value.items()}
    if feature.listed:
        return [json_item(feature.kind, item) for item in value]
    return json_item(feature.kind, value)


def parse_value(feature, text):
    """The value that a field's bytes stand for; an absent field is null."""
    if text is None:
        return None
    try:
        if feature.by_kind is not None:
            return value_of_json(feature, from_json(text, dict))
        if feature.listed:
            return value_of_json(feature, from_json(text, list))
        return scalar(feature.kind, text)
    except UnicodeError:
        raise Unreadable("not text") from None


def same(one, two):
    """Equal, groups of a map in the same order."""
    return one == two and (not isinstance(one, dict) or list(one) == list(two))


class Difference:
    def __init__(self, key, field, expected, found, history=()):
        self.key, self.field = key, field
        self.expected, self.found, self.history = expected, found, history

    def __str__(self):
        key = self.key.decode("utf-8", "backslashreplace")
        lines = [f"key {key!r} field {self.field}: expected {self.expected!r}, "
                 f"found {self.found!r}"]
        return "\n".join(lines + [f"    {line}" for line in self.history])


class Checker:
    """Judges one row at a time, then what is missing. `as_of` maps partitions to times."""

    def __init__(self, shards, evaluator, as_of, version=None, check_rev=True, warming=False):
        self.shards, self.evaluator, self.as_of = shards, evaluator, dict(as_of)
        self.version, self.check_rev, self.warming = version, check_rev, warming
        self.names = {name.encode() for name in evaluator.by_name}
        self.owners = {}
        for partition, shard in shards.items():
            for key in shard.newest_offset:
                self.owners.setdefault(key, []).append(partition)

    def foreign(self):
        """Keys that came in more than one partition: the topic is not keyed by the entity."""
        return sorted(key for key, owners in self.owners.items() if len(owners) > 1)

    def expected(self, key, partition, as_of):
        shard = self.shards[partition]
        state = shard.keys.get(key)
        return self.evaluator.row(key, state or KeyState(), as_of), state

    def history(self, key, partition):
        """The key's last events and sessions, to be read by a person."""
        shard = self.shards[partition]
        state = shard.keys.get(key)
        head = (f"partition {partition} as_of {self.as_of[partition]} raw {shard.raw} "
                f"watermark {shard.watermark}")
        if state is None:
            return [head, "forgotten" if key in shard.newest_offset else "never accepted"]
        orders = {order for column in state.kept.columns.values() for order in column[0][-5:]}
        return [head] + \
            [f"session {s.id} [{s.start}, {s.last}] events {s.count} rev {s.rev}"
             for s in sorted(state.sessions, key=lambda s: s.last)[-3:]] + \
            [f"event ts {ts} offset {offset}" for ts, offset in sorted(orders)[-5:]]

    def row(self, key, fields):
        """Differences of one row of Redis."""
        partition = self._partition(key, fields)
        if partition is None:
            return [Difference(key, "(row)", "no such key", short(fields))]
        found = []
        want, state = self.expected(key, partition, self.as_of[partition])
        self._features(want, fields, found)
        self._marks(key, partition, want, fields, found)
        found += self._at_own_time(key, partition, want, fields)
        history = self.history(key, partition) if found else ()
        return [Difference(key, *item, history) for item in found]

    def _partition(self, key, fields):
        owners = self.owners.get(key)
        if not owners:
            return None
        text = fields.get(b"_p", b"")
        said = int(text) if LONG.match(text) else None
        return said if said in owners else owners[0]

    def _features(self, want, fields, found, suffix=""):
        for feature in self.evaluator.features:
            text = fields.get(feature.name.encode())
            value = want.values[feature.name]
            try:
                if not same(parse_value(feature, text), value):
                    found.append((feature.name + suffix, value, text))
            except Unreadable as error:
                found.append((feature.name + suffix, value, f"{text!r}: {error}"))

    def _marks(self, key, partition, want, fields, found):
        for name in fields:
            if name not in self.names and name not in MARKS:
                found.append((name.decode("utf-8", "replace"), "no such field", fields[name]))
        self._same(fields, b"_p", partition, found)
        if not want.empty:
            self._same(fields, b"_o", self.shards[partition].newest_offset[key], found)
            if self.check_rev:
                self._same(fields, b"_rev", want.rev, found)
        version = fields.get(b"_v")
        if self.version is None:
            self.version = version
        if version is None or version != self.version:
            found.append(("_v", self.version, version))
        if b"_w" in fields and not self.warming:
            found.append(("_w", None, fields[b"_w"]))
        text = fields.get(b"_as_of", b"")
        if not LONG.match(text) or int(text) > self.as_of[partition]:
            found.append(("_as_of", f"at most {self.as_of[partition]}", text))

    @staticmethod
    def _same(fields, name, value, found):
        text = fields.get(name)
        if text is None or not LONG.match(text) or int(text) != value:
            found.append((name.decode(), value, text))

    def _at_own_time(self, key, partition, want, fields):
        """No feature changed between the row's own as_of and the shard's."""
        text = fields.get(b"_as_of", b"")
        if not LONG.match(text) or int(text) >= self.as_of[partition]:
            return []
        then, _ = self.expected(key, partition, int(text))
        found = []
        if then.values != want.values:
            self._features(then, fields, found, f" at its own _as_of {int(text)}")
        return found

    def missing(self, seen):
        """Keys that should have a row and have none."""
        for key, owners in self.owners.items():
            if key in seen:
                continue
            for partition in owners:
                if key not in self.shards[partition].keys:
                    continue
                want, _ = self.expected(key, partition, self.as_of[partition])
                if not want.empty:
                    yield Difference(key, "(row)", shown(want.values), "no row",
                                     self.history(key, partition))
                    break


def shown(values):
    return {name: value for name, value in values.items() if value is not None}


def short(fields):
    return {name.decode("utf-8", "replace"): text for name, text in sorted(fields.items())[:12]}


def text_of(data):
    """Bytes as they stand in JSON: of keys and values alike (for json.dumps)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def render(feature, value):
    """Bytes of a value as the daemon writes them (tests make rows with it)."""
    if value is None:
        return None
    if feature.listed or feature.by_kind is not None:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False,
                          default=lambda item: item.decode("latin-1")).encode()
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, (str, bytes)):
        return value.encode() if isinstance(value, str) else value
    return number_text(value).encode()


def rendered_row(checker, key, partition, version=b"0123456789abcdef"):
    """A whole row of Redis that is right."""
    row, _ = checker.expected(key, partition, checker.as_of[partition])
    fields = {feature.name.encode(): render(feature, row.values[feature.name])
              for feature in checker.evaluator.features}
    fields = {name: text for name, text in fields.items() if text is not None}
    fields.update({b"_as_of": b"%d" % checker.as_of[partition], b"_rev": b"%d" % row.rev,
                   b"_v": version, b"_p": b"%d" % partition,
                   b"_o": b"%d" % checker.shards[partition].newest_offset[key]})
    return fields
