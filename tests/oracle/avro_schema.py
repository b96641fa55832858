"""Avro schemas as a tree of nodes: names, aliases, defaults and logical types kept."""
import json
import re

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SchemaError(ValueError):
    """The text is not an Avro schema."""


class Node:
    """One type. `kind` is the Avro type; which other members are set depends on it."""

    def __init__(self, kind):
        self.kind = kind
        self.name = None        # full name of record, enum, fixed
        self.aliases = ()       # full names
        self.fields = ()        # Field, of a record
        self.symbols = ()
        self.default = None     # of an enum
        self.size = 0
        self.inner = None       # items of an array, values of a map
        self.branches = ()
        self.logical = None

    def short(self):
        return self.name.rpartition(".")[2] if self.name else self.kind


class Field:
    def __init__(self, name, node, aliases, has_default, default):
        self.name, self.node, self.aliases = name, node, aliases
        self.has_default, self.default = has_default, default


def full_name(name, space):
    if not isinstance(name, str) or not all(NAME.match(part) for part in name.split(".")):
        raise SchemaError(f"bad name {name!r}")
    return name if "." in name or not space else f"{space}.{name}"


def parse(schema, names=None):
    """Node of a schema (text or parsed JSON); `names` carries referenced named types."""
    if isinstance(schema, (bytes, str)) and schema not in PRIMITIVES:
        try:
            schema = json.loads(schema)
        except ValueError as error:
            raise SchemaError(str(error)) from error
    return _parse(schema, "", {} if names is None else names)


def _parse(schema, space, names):
    if isinstance(schema, str):
        if schema in PRIMITIVES:
            return Node(schema)
        for name in (full_name(schema, space), schema):
            if name in names:
                return names[name]
        raise SchemaError(f"unknown type {schema!r}")
    if isinstance(schema, list):
        return _union(schema, space, names)
    if not isinstance(schema, dict) or "type" not in schema:
        raise SchemaError(f"not a schema: {schema!r}")
    kind = schema["type"]
    if isinstance(kind, (dict, list)):
        return _parse(kind, space, names)
    if kind in ("record", "error", "enum", "fixed"):
        return _named(schema, space, names)
    if kind in ("array", "map"):
        node = Node(kind)
        inner = "items" if kind == "array" else "values"
        if inner not in schema:
            raise SchemaError(f"{kind} without {inner}")
        node.inner = _parse(schema[inner], space, names)
        return node
    node = _parse(kind, space, names)
    if kind in PRIMITIVES:
        node.logical = schema.get("logicalType")
    return node


def _union(schema, space, names):
    node = Node("union")
    node.branches = [_parse(branch, space, names) for branch in schema]
    keys = [branch.name or branch.kind for branch in node.branches]
    if not keys or len(set(keys)) != len(keys) or "union" in keys:
        raise SchemaError("a union must not be empty, nested, or hold a type twice")
    return node


def _named(schema, space, names):
    node = Node("record" if schema["type"] == "error" else schema["type"])
    if "name" not in schema:
        raise SchemaError(f"{node.kind} without a name")
    node.name = full_name(schema["name"], schema.get("namespace", space))
    space = node.name.rpartition(".")[0]
    if node.name in names or node.name in PRIMITIVES:
        raise SchemaError(f"{node.name} is defined twice or reserved")
    node.aliases = [full_name(alias, space) for alias in schema.get("aliases", ())]
    names[node.name] = node
    if node.kind == "record":
        node.fields = _fields(schema, space, names)
    elif node.kind == "enum":
        node.symbols, node.default = schema.get("symbols"), schema.get("default")
        _check_symbols(node)
    else:
        node.size = schema.get("size")
        if not isinstance(node.size, int) or node.size < 0:
            raise SchemaError(f"bad size of {node.name}")
    return node


def _check_symbols(node):
    symbols = node.symbols
    if not isinstance(symbols, list) or len(set(symbols)) != len(symbols):
        raise SchemaError(f"bad symbols of {node.name}")
    if not all(isinstance(symbol, str) and NAME.match(symbol) for symbol in symbols):
        raise SchemaError(f"bad symbols of {node.name}")
    if node.default is not None and node.default not in symbols:
        raise SchemaError(f"default of {node.name} is not one of its symbols")


def _fields(schema, space, names):
    if not isinstance(schema.get("fields"), list):
        raise SchemaError("record without fields")
    fields = []
    for entry in schema["fields"]:
        if not isinstance(entry, dict) or "name" not in entry or "type" not in entry:
            raise SchemaError("field without name or type")
        if not NAME.match(str(entry["name"])):
            raise SchemaError(f"bad field name {entry['name']!r}")
        node = _parse(entry["type"], space, names)
        fields.append(Field(entry["name"], node, tuple(entry.get("aliases", ())),
                            "default" in entry, entry.get("default")))
    if len({field.name for field in fields}) != len(fields):
        raise SchemaError("field defined twice")
    return fields
