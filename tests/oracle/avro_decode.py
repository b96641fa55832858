"""Decodes Avro data written with one schema into the values of another, field by field needed.

Written out rather than left to a library because the rules of decoding reach further than a
library's: only needed fields are checked, and what follows the last of them is not parsed. The
tests compare it with fastavro on good data and with the acceptance cases on bad data.
"""
import struct

PROMOTIONS = {("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"),
              ("long", "double"), ("float", "double"), ("string", "bytes"), ("bytes", "string")}
MAX_DEPTH = 256
MAX_EMPTY_ITEMS = 100000
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1


class Unresolvable(ValueError):
    """The writer's schema cannot be resolved to the reader's."""


class Malformed(ValueError):
    """This datum cannot be decoded."""


def read_long(b, p):
    try:
        byte = b[p]
        if byte < 0x80:
            return (byte >> 1) ^ -(byte & 1), p + 1
        value, shift = byte & 0x7F, 7
        while True:
            p += 1
            byte = b[p]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise Malformed("varint longer than 10 bytes")
    except IndexError:
        raise Malformed("data end inside a number") from None
    if value >> 64:
        raise Malformed("varint beyond 64 bits")
    return (value >> 1) ^ -(value & 1), p + 1


def read_int(b, p):
    value, p = read_long(b, p)
    if not INT_MIN <= value <= INT_MAX:
        raise Malformed("int beyond 32 bits")
    return value, p


def read_span(b, p):
    size, p = read_long(b, p)
    if size < 0 or p + size > len(b):
        raise Malformed("length beyond the data")
    return b[p:p + size], p + size


def read_string(b, p):
    span, p = read_span(b, p)
    try:
        return span.decode("utf-8"), p
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None


def read_boolean(b, p):
    if p >= len(b) or b[p] > 1:
        raise Malformed("not a boolean")
    return b[p] == 1, p + 1


def fixed_format(form, size):
    unpack = struct.Struct(form).unpack_from

    def read(b, p):
        if p + size > len(b):
            raise Malformed("data end inside a number")
        return unpack(b, p)[0], p + size
    return read


READ = {"null": lambda b, p: (None, p), "boolean": read_boolean, "int": read_int,
        "long": read_long, "float": fixed_format("<f", 4), "double": fixed_format("<d", 8),
        "bytes": read_span, "string": read_string}


def to_float32(value):
    """The nearest float of an integer, rounded once."""
    size = max(abs(value).bit_length() - 24, 0)
    whole, rest = divmod(abs(value), 1 << size)
    half = (1 << size) >> 1
    if size and (rest > half or (rest == half and whole & 1)):
        whole += 1
    return float(whole << size) * (-1 if value < 0 else 1)


def skipper(node, memo):
    """A function (bytes, position) -> position over one value of the node."""
    if id(node) in memo:
        return lambda b, p: memo[id(node)](b, p)
    kind = node.kind
    if kind == "null":
        return lambda b, p: p
    if kind in ("int", "long", "enum"):
        return lambda b, p: read_long(b, p)[1]
    if kind in ("bytes", "string"):
        return lambda b, p: read_span(b, p)[1]
    if kind in ("boolean", "float", "double", "fixed"):
        return skip_bytes({"boolean": 1, "float": 4, "double": 8}.get(kind, node.size))
    memo[id(node)] = None
    if kind == "record":
        steps = [skipper(field.node, memo) for field in node.fields]
        memo[id(node)] = bounded(lambda b, p: skip_all(steps, b, p))
    elif kind == "union":
        branches = [skipper(branch, memo) for branch in node.branches]

        def skip_union(b, p):
            index, p = read_long(b, p)
            if not 0 <= index < len(branches):
                raise Malformed("union index out of range")
            return branches[index](b, p)
        memo[id(node)] = skip_union
    else:
        memo[id(node)] = skip_blocks(kind == "map", skipper(node.inner, memo))
    return memo[id(node)]


def skip_bytes(size):
    def skip(b, p):
        if p + size > len(b):
            raise Malformed("data end inside a value")
        return p + size
    return skip


def skip_all(steps, b, p):
    for step in steps:
        p = step(b, p)
    return p


def block_head(b, p):
    """(count, byte size or None, position) of an array or map block."""
    count, p = read_long(b, p)
    if count >= 0:
        return count, None, p
    size, p = read_long(b, p)
    if size < 0 or p + size > len(b) or count == -(1 << 63):
        raise Malformed("block beyond the data")
    return -count, size, p


def skip_blocks(keyed, item):
    def skip(b, p):
        empty = 0
        while True:
            count, size, p = block_head(b, p)
            if count == 0:
                return p
            if size is not None:
                p += size
                continue
            for _ in range(count):
                before = p
                p = item(b, read_span(b, p)[1] if keyed else p)
                empty = check_empty(empty, before, p)
    return skip


def check_empty(empty, before, after):
    empty += before == after
    if empty > MAX_EMPTY_ITEMS:
        raise Malformed("too many items without bytes")
    return empty


def bounded(step):
    """Limits the depth of nested records, which a schema that contains itself leaves open."""
    depth = [0]

    def inner(b, p):
        depth[0] += 1
        try:
            if depth[0] > MAX_DEPTH:
                raise Malformed("nested too deeply")
            return step(b, p)
        finally:
            depth[0] -= 1
    return inner


class Plan:
    """Decoder of one (writer, reader) pair. `need` is a tree {field: True | tree} or True."""

    def __init__(self, writer, reader, need=True, strict=False):
        self.strict = strict
        self.memo, self.skips = {}, {}
        self.step = self._compile(writer, reader, need, not strict)

    def decode(self, payload, start=0):
        try:
            value, end = self.step(payload, start)
        except RecursionError:
            raise Malformed("nested too deeply") from None
        if self.strict and end != len(payload):
            raise Malformed("bytes after the datum")
        return value

    def _skip(self, node):
        return skipper(node, self.skips)

    def _compile(self, w, r, need, tail):
        if w.kind == "union":
            return self._from_union(w, r, need, tail)
        if r.kind == "union":
            return self._compile(w, self._branch(w, r), need, tail)
        if w.kind == r.kind:
            return self._same(w, r, need, tail)
        if (w.kind, r.kind) not in PROMOTIONS:
            raise Unresolvable(f"{w.kind} to {r.kind}")
        if r.kind == "double" and w.kind == "float" or r.kind == "long":
            return READ[w.kind]
        if r.kind in ("float", "double"):
            read, cast = READ[w.kind], to_float32 if r.kind == "float" else float

            def promote(b, p):
                value, p = read(b, p)
                return cast(value), p
            return promote
        return READ[r.kind]

    def _same(self, w, r, need, tail):
        if w.kind in READ:
            return READ[w.kind]
        if w.kind in ("array", "map"):
            return self._blocks(w, r)
        if not names_match(w, r):
            raise Unresolvable(f"{w.name} is not {r.name}")
        if w.kind == "enum":
            return enum_reader(w, r)
        if w.kind == "fixed":
            if w.size != r.size:
                raise Unresolvable(f"size of {r.name}")
            return fixed_format(f"{w.size}s", w.size)
        return self._record(w, r, need, tail)

    def _from_union(self, w, r, need, tail):
        branches, good = [], 0
        for branch in w.branches:
            try:
                branches.append(self._compile(branch, r, need, tail))
                good += 1
            except Unresolvable as error:
                branches.append(refuse(str(error)))
        if not good:
            raise Unresolvable("no branch of the writer's union")

        def read(b, p):
            index, p = read_long(b, p)
            if not 0 <= index < len(branches):
                raise Malformed("union index out of range")
            return branches[index](b, p)
        return read

    def _branch(self, w, r):
        """The reader's branch for a writer's type: exact first, then any that resolves."""
        same = [branch for branch in r.branches if branch.kind == w.kind]
        same.sort(key=lambda branch: branch.name != w.name)
        for branch in same + [branch for branch in r.branches if branch.kind != w.kind]:
            try:
                self._compile(w, branch, True, False)
                return branch
            except Unresolvable:
                continue
        raise Unresolvable(f"no branch for {w.short()}")

    def _blocks(self, w, r):
        item, keyed = self._compile(w.inner, r.inner, True, False), w.kind == "map"

        def read(b, p):
            items, empty = [], 0
            while True:
                count, size, p = block_head(b, p)
                if count == 0:
                    return (dict(items) if keyed else items), p
                end = None if size is None else p + size
                for _ in range(count):
                    before = p
                    if keyed:
                        key, p = read_string(b, p)
                    value, p = item(b, p)
                    items.append((key, value) if keyed else value)
                    empty = check_empty(empty, before, p)
                if end is not None and p != end:
                    raise Malformed("block is not of its size")
        return read

    def _record(self, w, r, need, tail):
        if need is not True:
            return self._new_record(w, r, need, tail)
        pair = id(w), id(r), tail
        if pair not in self.memo:
            self.memo[pair] = None      # a schema that contains itself comes here again
            try:
                self.memo[pair] = bounded(self._new_record(w, r, need, tail))
            finally:
                if self.memo[pair] is None:
                    del self.memo[pair]
        return self.memo[pair] or (lambda b, p: self.memo[pair](b, p))

    def _new_record(self, w, r, need, tail):
        steps, constants = self._steps(w, r, need, tail)

        def read(b, p):
            value = dict(constants)
            for name, step in steps:
                if name is None:
                    p = step(b, p)
                else:
                    value[name], p = step(b, p)
            return value, p
        return read

    def _steps(self, w, r, need, tail):
        taken, constants = {}, {}
        for field in r.fields:
            source = source_of(field, w)
            wanted = need if need is True else need.get(field.name)
            if source is None:
                if not field.has_default:
                    raise Unresolvable(f"{field.name} has no default")
                if wanted is not None:
                    constants[field.name] = default_value(field.node, field.default)
            else:
                self._compile_check(source, field)
                if wanted is not None:
                    taken[source.name] = (field, wanted)
        last = max((i for i, f in enumerate(w.fields) if f.name in taken), default=-1)
        steps = []
        for i, source in enumerate(w.fields):
            if tail and i > last:
                break
            if source.name in taken:
                field, wanted = taken[source.name]
                step = self._compile(source.node, field.node, wanted, tail and i == last)
                steps.append((field.name, step))
            else:
                steps.append((None, self._skip(source.node)))
        return steps, constants

    def _compile_check(self, source, field):
        try:
            self._compile(source.node, field.node, True, False)
        except Unresolvable as error:
            raise Unresolvable(f"{field.name}: {error}") from None


def source_of(field, writer):
    """The writer's field that a reader's field takes its value from, by name or alias."""
    by_name = {entry.name: entry for entry in writer.fields}
    for name in (field.name, *field.aliases):
        if name in by_name:
            return by_name[name]
    return None


def names_match(w, r):
    return w.short() == r.short() or w.name in r.aliases


def refuse(message):
    def read(b, p):
        raise Malformed(message)
    return read


def enum_reader(w, r):
    known = set(r.symbols)
    symbols = [s if s in known else r.default for s in w.symbols]

    def read(b, p):
        index, p = read_int(b, p)
        if not 0 <= index < len(symbols):
            raise Malformed("enum index out of range")
        if symbols[index] is None:
            raise Malformed("symbol unknown to the reader")
        return symbols[index], p
    return read


def default_value(node, value):
    """A field's default (JSON) as a value; also what JSON lines give. ValueError if it is none."""
    kind = node.kind
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "union":
        for branch in node.branches:
            try:
                return default_value(branch, value)
            except ValueError:
                continue
    elif kind == "null" and value is None or kind == "boolean" and isinstance(value, bool):
        return value
    elif kind in ("int", "long") and number and value == int(value):
        bits = 31 if kind == "int" else 63
        if -(1 << bits) <= value < 1 << bits:
            return int(value)
    elif kind in ("float", "double") and number:
        value = float(value)
        return struct.unpack("<f", struct.pack("<f", value))[0] if kind == "float" else value
    elif kind == "string" and isinstance(value, str):
        return value
    elif kind == "enum" and value in node.symbols:
        return value
    elif kind in ("bytes", "fixed") and isinstance(value, str):
        data = value.encode("latin-1")
        if kind == "bytes" or len(data) == node.size:
            return data
    elif kind == "array" and isinstance(value, list):
        return [default_value(node.inner, item) for item in value]
    elif kind == "map" and isinstance(value, dict):
        return {key: default_value(node.inner, item) for key, item in value.items()}
    elif kind == "record" and isinstance(value, dict):
        return {field.name: member(field, value) for field in node.fields}
    raise ValueError(f"{value!r} is no {kind}")


def member(field, value):
    if field.name in value:
        return default_value(field.node, value[field.name])
    if field.has_default:
        return default_value(field.node, field.default)
    raise ValueError(f"{field.name} is missing")
