"""The expression language of features: text -> typed function of (event fields, event time)."""
import math
import re

TOKEN = re.compile(r"""\s*(?:(?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+|\d+[eE][+-]?\d+|\d+)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z_]\w*)
    |(?P<sign>==|!=|<=|>=|[<>+\-*/(),.\[\]=]))""", re.X)
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1
SCALARS = {"boolean": "bool", "int": "long", "long": "long", "float": "double",
           "double": "double", "string": "string", "enum": "string", "bytes": "bytes",
           "fixed": "bytes", "null": "null"}


class ExpressionError(ValueError):
    """An expression that the daemon would refuse."""


def tokens_of(text):
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        m = TOKEN.match(text, position)
        if not m:
            raise ExpressionError(f"column {position + 1}: cannot read {text[position:]!r}")
        kind = m.lastgroup
        value = m[kind]
        if kind == "string":
            value = re.sub(r"\\(.)", lambda e: escaped(e[1]), value[1:-1])
        elif kind == "number":
            value = int(value) if value.isdigit() else float(value)
        found.append((kind, value))
        position = m.end()
    return found


def escaped(letter):
    if letter not in ESCAPES:
        raise ExpressionError(f"unknown escape \\{letter}")
    return ESCAPES[letter]


class Parser:
    """Recursive descent over the precedence levels, to a tree of tuples."""

    def __init__(self, text):
        self.tokens, self.at = tokens_of(text), 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", None)

    def take(self, kind, *values):
        token = self.peek()
        if token[0] == kind and (not values or token[1] in values):
            self.at += 1
            return token[1]
        return None

    def need(self, kind, value):
        if self.take(kind, value) is None:
            raise ExpressionError(f"{value!r} expected, {self.peek()[1]!r} found")

    def done(self):
        if self.peek()[0] != "end":
            raise ExpressionError(f"unexpected {self.peek()[1]!r}")

    def either(self):
        left = self.both()
        while self.take("word", "or"):
            left = ("or", left, self.both())
        return left

    def both(self):
        left = self.negation()
        while self.take("word", "and"):
            left = ("and", left, self.negation())
        return left

    def negation(self):
        if self.take("word", "not"):
            return ("not", self.negation())
        return self.comparison()

    def comparison(self):
        left = self.sum()
        sign = self.take("sign", "==", "!=", "<", "<=", ">", ">=")
        if sign:
            return ("compare", sign, left, self.sum())
        if self.take("word", "is"):
            negated = self.take("word", "not")
            self.need("word", "null")
            test = ("is_null", left)
            return ("not", test) if negated else test
        if self.take("word", "in"):
            self.need("sign", "(")
            items = [self.sum()]
            while self.take("sign", ","):
                items.append(self.sum())
            self.need("sign", ")")
            return ("in", left, items)
        return left

    def sum(self):
        left = self.product()
        while sign := self.take("sign", "+", "-"):
            left = ("math", sign, left, self.product())
        return left

    def product(self):
        left = self.unary()
        while sign := self.take("sign", "*", "/"):
            left = ("math", sign, left, self.unary())
        return left

    def unary(self):
        if self.take("sign", "-"):
            return ("negate", self.unary())
        return self.primary()

    def primary(self):
        if self.take("sign", "("):
            inner = self.either()
            self.need("sign", ")")
            return inner
        kind, value = self.peek()
        self.at += 1
        if kind in ("number", "string"):
            return ("literal", value)
        if kind != "word" or value in ("and", "or", "not", "in", "is"):
            raise ExpressionError(f"unexpected {value!r}")
        if value in ("true", "false", "null"):
            return ("literal", {"true": True, "false": False, "null": None}[value])
        if value in ("hour_of_day", "day_of_week") and self.take("sign", "("):
            inner = self.either()
            self.need("sign", ")")
            return ("clock", value, inner)
        return ("path", self.path([value]))

    def path(self, steps):
        while True:
            if self.take("sign", "."):
                word = self.take("word")
                if word is None:
                    raise ExpressionError("a name must follow the dot")
                steps.append(word)
            elif self.take("sign", "["):
                kind, value = self.peek()
                if kind not in ("number", "string") or isinstance(value, float):
                    raise ExpressionError("an index or a quoted key must stand in [ ]")
                self.at += 1
                self.need("sign", "]")
                steps.append((value,))
            else:
                return tuple(steps)


def parse(text):
    parser = Parser(text)
    tree = parser.either()
    parser.done()
    return tree


def paths_of(tree):
    """Field paths that a tree reads, as lists of names up to the first index."""
    if not isinstance(tree, (tuple, list)):
        return []
    if tree and tree[0] == "path":
        names = []
        for step in tree[1]:
            if isinstance(step, tuple):
                break
            names.append(step)
        return [] if tree[1] == ("ts",) else [names]
    return [path for part in tree for path in paths_of(part)]


class Compiler:
    """Trees to (type, function) against a reader schema; a function takes (fields, ts)."""

    def __init__(self, reader, zone_offset_ms=0):
        self.reader, self.zone = reader, zone_offset_ms

    def compile(self, tree):
        return getattr(self, "_" + tree[0])(*tree[1:])

    def condition(self, tree):
        """A function to True or False; a null bool is false."""
        kind, f = self.compile(tree)
        if kind not in ("bool", "null"):
            raise ExpressionError(f"a condition is needed, not a {kind}")
        if tree[0] in ("path", "literal"):
            return lambda e, ts: f(e, ts) is True
        return f

    def _literal(self, value):
        return type_of(value), lambda e, ts: value

    def _path(self, steps):
        if steps == ("ts",):
            return "long", lambda e, ts: ts
        node = self.reader
        for step in steps:
            node = step_into(plain(node), step)
        kind = SCALARS.get(plain(node).kind)
        if kind is None:
            raise ExpressionError(f"{steps} is a {node.kind}: no scalar")
        if len(steps) == 1:
            name = steps[0]
            return kind, lambda e, ts: e[name]
        if len(steps) == 2 and isinstance(steps[1], str):
            return kind, two_steps(*steps)
        return kind, lambda e, ts: walk(e, steps)

    def _or(self, left, right):
        a, b = self.condition(left), self.condition(right)
        return "bool", lambda e, ts: a(e, ts) or b(e, ts)

    def _and(self, left, right):
        a, b = self.condition(left), self.condition(right)
        return "bool", lambda e, ts: a(e, ts) and b(e, ts)

    def _not(self, inner):
        a = self.condition(inner)
        return "bool", lambda e, ts: not a(e, ts)

    def _is_null(self, inner):
        _, a = self.compile(inner)
        return "bool", lambda e, ts: a(e, ts) is None

    def _compare(self, sign, left, right):
        (ka, a), (kb, b) = self.compile(left), self.compile(right)
        numbers = {ka, kb} <= {"long", "double", "null"}
        if not numbers and ka != kb and "null" not in (ka, kb):
            raise ExpressionError(f"{ka} {sign} {kb}")
        test = COMPARE[sign]
        mixed = {ka, kb} == {"long", "double"}

        def compare(e, ts):
            x, y = a(e, ts), b(e, ts)
            if x is None or y is None:
                return False
            return test(float(x), float(y)) if mixed else test(x, y)
        return "bool", compare

    def _in(self, left, items):
        tests = [self._compare("==", left, item)[1] for item in items]
        if all(item[0] == "literal" for item in items):
            kinds = {type_of(item[1]) for item in items}
            kind, a = self.compile(left)
            if kinds == {kind} and kind in ("string", "long"):
                values = frozenset(item[1] for item in items)
                return "bool", lambda e, ts: a(e, ts) in values
        return "bool", lambda e, ts: any(test(e, ts) for test in tests)

    def _negate(self, inner):
        return self._math("-", ("literal", 0), inner) if inner[0] != "literal" else \
            self._literal(-inner[1])

    def _math(self, sign, left, right):
        (ka, a), (kb, b) = self.compile(left), self.compile(right)
        if not {ka, kb} <= {"long", "double", "null"}:
            raise ExpressionError(f"{ka} {sign} {kb}")
        whole = ka == kb == "long" and sign != "/"
        step = MATH[sign]

        def count(e, ts):
            x, y = a(e, ts), b(e, ts)
            if x is None or y is None:
                return None
            if whole:
                result = step(x, y)
                return result if LONG_MIN <= result <= LONG_MAX else None
            x, y = float(x), float(y)
            if sign == "/" and y == 0:
                return None
            result = step(x, y)
            return result if math.isfinite(result) else None
        return "long" if whole else "double", count

    def _clock(self, name, inner):
        kind, a = self.compile(inner)
        if kind not in ("long", "null"):
            raise ExpressionError(f"{name} needs a long, not a {kind}")
        zone = self.zone
        if name == "hour_of_day":
            pick = lambda ms: ms // 3600000 % 24
        else:
            pick = lambda ms: (ms // 86400000 + 3) % 7 + 1      # 1970-01-01 was a Thursday

        def read(e, ts):
            ms = a(e, ts)
            return None if ms is None else pick(ms + zone)
        return "long", read


COMPARE = {"==": lambda x, y: x == y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y,
           "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y}
MATH = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y,
        "/": lambda x, y: x / y}


def type_of(value):
    return {bool: "bool", int: "long", float: "double", str: "string",
            bytes: "bytes", type(None): "null"}[type(value)]


def plain(node):
    """The one type of a union beside null."""
    if node.kind != "union":
        return node
    rest = [branch for branch in node.branches if branch.kind != "null"]
    if len(rest) != 1:
        raise ExpressionError("a union of several types cannot be used")
    return rest[0]


def step_into(node, step):
    if isinstance(step, tuple):
        wanted = "array" if isinstance(step[0], int) else "map"
        if node.kind != wanted:
            raise ExpressionError(f"[{step[0]!r}] on a {node.kind}")
        return node.inner
    if node.kind == "record":
        for field in node.fields:
            if field.name == step:
                return field.node
    raise ExpressionError(f"no field {step!r}")


def two_steps(first, second):
    def read(e, ts):
        inner = e[first]
        return None if inner is None else inner[second]
    return read


def walk(value, steps):
    for step in steps:
        if value is None:
            return None
        if isinstance(step, str):
            value = value[step]
        elif isinstance(step[0], str):
            value = value.get(step[0])
        else:
            value = value[step[0]] if step[0] < len(value) else None
    return value
