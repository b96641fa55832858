"""Payload bytes to fields, key and event time: framings, registry, units."""
import base64
import json
import time
import urllib.error
import urllib.request

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

import avro_decode
import avro_schema
from avro_decode import Malformed, Unresolvable
from expression import plain

UNIT_OF_LOGICAL = {"timestamp-millis": "ms", "timestamp-micros": "us", "timestamp-nanos": "ns",
                   "local-timestamp-millis": "ms", "local-timestamp-micros": "us",
                   "local-timestamp-nanos": "ns"}
MULTIPLY = {"s": 1000, "ms": 1}
DIVIDE = {"us": 1000, "ns": 1000000}


class Unknown(ValueError):
    """No such writer schema."""


def to_ms(value, unit):
    return value * MULTIPLY[unit] if unit in MULTIPLY else value // DIVIDE[unit]


def unit_of(writer, reader, path, default):
    """The unit of the event time in data of a writer: its own logicalType, else the default."""
    node = writer
    for step in path:
        reader, node = plain(reader), first_record(node)
        field = next(f for f in reader.fields if f.name == step)
        source = avro_decode.source_of(field, node) if node else None
        if source is None:
            return default
        reader, node = field.node, source.node
    branches = node.branches if node.kind == "union" else [node]
    for branch in branches:
        if branch.logical in UNIT_OF_LOGICAL:
            return UNIT_OF_LOGICAL[branch.logical]
    return default


def first_record(node):
    branches = node.branches if node.kind == "union" else [node]
    return next((branch for branch in branches if branch.kind == "record"), None)


def fingerprint_le(text):
    """The 8 bytes of a schema's CRC-64-AVRO as they stand in a single-object header."""
    canonical = to_parsing_canonical_form(parse_schema(json.loads(text)))
    return bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


class Registry:
    """Schemas by id over HTTP, with their references; 404 is Unknown, all else is retried."""

    def __init__(self, url, user="", password=""):
        self.url = url.rstrip("/")
        self.auth = base64.b64encode(f"{user}:{password}".encode()).decode() if user else None

    def get(self, path):
        request = urllib.request.Request(self.url + path)
        if self.auth:
            request.add_header("Authorization", "Basic " + self.auth)
        for attempt in range(10):
            try:
                with urllib.request.urlopen(request, timeout=10) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    raise Unknown(path) from None
                if error.code < 500:
                    raise
            except OSError:
                pass
            time.sleep(0.2 * 2 ** min(attempt, 5))
        raise RuntimeError(f"the registry does not answer: {self.url}{path}")

    def node(self, path):
        return self._parse(self.get(path), {})

    def _parse(self, answer, names):
        for reference in answer.get("references") or ():
            if reference["name"] not in names:
                self._parse(self.get(f"/subjects/{reference['subject']}"
                                     f"/versions/{reference['version']}"), names)
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise Unknown("not an Avro schema")
        return avro_schema.parse(answer["schema"], names)


class Reader:
    """Records to (fate, None, None, None) or (None, key, ts, fields)."""

    def __init__(self, settings, features, reader, registry=None):
        self.settings, self.reader = settings, reader
        self.key_path = settings["event.key"].split(".")
        self.time_path = settings["event.time"].split(".")
        self.need = features.needed(*filter(None, (settings[name] for name in (
            "event.key", "event.time", "event.id", "session.id"))))
        self.default_unit = settings["event.time_unit"]
        self.max_bytes = settings["schema.max_bytes"]
        self.framing = settings["schema.framing"]
        self.registry = registry
        if registry is None and settings["schema.registry"]:
            self.registry = Registry(settings["schema.registry"],
                                     settings["schema.registry_user"],
                                     settings["schema.registry_password"])
        self.plans = {}
        if self.framing == "raw":
            path = settings.path("schema.writer")
            writer = avro_schema.parse(read_text(path)) if path else reader
            self.plans["raw"] = self._plan(writer)
        elif self.framing == "single_object":
            for name in filter(None, map(str.strip, settings["schema.writers"].split(","))):
                text = read_text(settings.find(name))
                self.plans[fingerprint_le(text)] = self._plan(avro_schema.parse(text))

    def _plan(self, writer):
        """(decoder, unit), or None when the pair cannot be resolved."""
        try:
            plan = avro_decode.Plan(writer, self.reader, self.need,
                                    self.settings["schema.strict"])
        except Unresolvable:
            return None
        return plan, unit_of(writer, self.reader, self.time_path, self.default_unit)

    def _from_registry(self, path):
        if path not in self.plans:
            try:
                self.plans[path] = self._plan(self.registry.node(path))
            except (Unknown, avro_schema.SchemaError):
                self.plans[path] = None
        return self.plans[path]

    def _find(self, payload, headers):
        """(plan and unit or None, where the datum starts)"""
        if self.framing == "raw":
            return self.plans["raw"], 0
        if self.framing == "single_object":
            if len(payload) < 10 or payload[:2] != b"\xc3\x01":
                raise Malformed("no single-object header")
            return self.plans.get(payload[2:10]), 10
        for name, value in headers or ():
            if name == "__value_schema_id":
                if value is None or len(value) != 17 or value[0] != 1:
                    raise Malformed("bad schema id header")
                text = value[1:].hex()
                guid = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
                return self._from_registry(f"/schemas/guids/{guid}"), 0
        if len(payload) < 5 or payload[0] != 0:
            raise Malformed("no schema id")
        return self._from_registry(f"/schemas/ids/{int.from_bytes(payload[1:5], 'big')}"), 5

    def read(self, payload, headers=None):
        if payload is None:
            return "tombstone", None, None, None
        if len(payload) > self.max_bytes:
            return "oversize", None, None, None
        try:
            found, start = self._find(payload, headers)
            if found is None:
                return "unknown_schema", None, None, None
            fields = found[0].decode(payload, start)
        except Malformed:
            return "undecodable", None, None, None
        return self.judge(fields, found[1])

    def read_json(self, fields):
        """As read, of an object of a JSON line in the reader schema's own terms."""
        if fields is None:
            return "tombstone", None, None, None
        try:
            value = avro_decode.default_value(self.reader, fields)
        except (ValueError, UnicodeEncodeError):
            return "undecodable", None, None, None
        unit = unit_of(self.reader, self.reader, self.time_path, self.default_unit)
        return self.judge(value, unit)

    def judge(self, fields, unit):
        ts = fields_at(fields, self.time_path)
        if not isinstance(ts, int) or isinstance(ts, bool):
            return "bad_time", None, None, None
        ts = to_ms(ts, unit)
        key = fields_at(fields, self.key_path)
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogatepass")
        elif isinstance(key, int):
            key = b"%d" % key
        return None, key or b"", ts, fields


def fields_at(value, path):
    for step in path:
        if value is None:
            return None
        value = value[step]
    return value


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
