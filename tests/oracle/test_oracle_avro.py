"""The decoder against the collected cases, fastavro and hand-made bytes; framings and units."""
import io
import json
import os
import random
import struct

import avro_decode
import avro_schema
import fastavro
import framing
import pytest
from avro_decode import Malformed, Plan, Unresolvable
from loglines import ROOT, build, shared_cases

SHARED = shared_cases("avro_cases.json")


def plain_value(value):
    """A value of the cases' notation."""
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$hex"}:
        return bytes.fromhex(value["$hex"])
    if set(value) == {"$long"}:
        return int(value["$long"])
    if set(value) == {"$f"}:
        return repr(float(value["$f"]))
    if set(value) == {"$f32"}:
        return struct.unpack("<f", struct.pack("<f", float(value["$f32"])))[0]
    if set(value) == {"$nulls"}:
        return [None] * value["$nulls"]
    if set(value) == {"$depth"}:
        return nested(value["$depth"])
    return {name: plain_value(item) for name, item in value.items()}


def nested(depth):
    value = {"next": None}
    for _ in range(depth):
        value = {"next": value}
    return value


def comparable(value):
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return repr(value)
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def outcome(case):
    try:
        plan = Plan(avro_schema.parse(case["writer"]), avro_schema.parse(case["reader"]), True)
        return comparable(plan.decode(bytes.fromhex(case["encoded_hex"] or "")))
    except avro_schema.SchemaError:
        return "schema"
    except Unresolvable:
        return "resolve"
    except Malformed:
        return "data"


@pytest.mark.skipif(SHARED is None, reason="avro_cases.json not found: set FRESHET_CASES")
@pytest.mark.parametrize("case", (SHARED or {"cases": []})["cases"], ids=lambda c: c["id"])
def test_collected_cases(case):
    wanted = case["expect"]
    if case["encoded_hex"] is None and wanted.get("error") not in ("schema", "resolve"):
        pytest.skip("bytes are given in another form")
    if "policy" in wanted:
        assert outcome(case) == "data"
    elif "error" in wanted:
        assert outcome(case) == {"malformed": "data", "limit": "data"}.get(wanted["error"],
                                                                           wanted["error"])
    elif set(wanted["ok"] or ()) != {"$depth"} if isinstance(wanted["ok"], dict) else True:
        assert outcome(case) == plain_value(wanted["ok"])
    else:
        assert outcome(case) not in ("data", "resolve", "schema")


def schema_file(name):
    with open(os.path.join(ROOT, "schemas", name), encoding="utf-8") as file:
        return file.read()


def random_click(rng, old):
    text = lambda: "".join(rng.choice("abcé/") for _ in range(rng.randint(0, 9)))
    click = {"event_id": text(), "user_id": text(), "event_time": rng.randint(0, 1 << 50),
             "category": rng.choice([None, text()]), "quantity": rng.randint(-9, 1 << 30),
             "country": text(), "user_agent": text()}
    item, price = rng.choice([None, text()]), rng.choice([None, rng.uniform(-9, 999)])
    if old:
        kinds = ["impression", "click", "view", "add_to_cart", "purchase", "wishlist"]
        click.update(product_id=item, page={"url": text()}, price=price)
    else:
        kinds = ["other", "impression", "click", "view", "add_to_cart", "purchase"]
        click.update(item_id=item, price=price, currency=text(), position=rng.randint(-1, 99),
                     page={"url": text(), "referrer": rng.choice([None, text()])},
                     device=rng.choice(["unknown", "phone"]), props={text(): text()})
    click["event_type"] = rng.choice(kinds)
    return click


def without_logical(schema):
    """Logical types away: fastavro would turn times into datetime."""
    if isinstance(schema, list):
        return [without_logical(item) for item in schema]
    if isinstance(schema, dict):
        return {name: without_logical(item) for name, item in schema.items()
                if name != "logicalType"}
    return schema


@pytest.mark.parametrize("name", ["click.avsc", "click-v1.avsc"])
def test_equal_to_fastavro(name):
    rng = random.Random(7)
    texts = schema_file(name), schema_file("click.avsc")
    fast_w, fast_r = (fastavro.parse_schema(without_logical(json.loads(text)),
                                            named_schemas={}) for text in texts)
    plan = Plan(avro_schema.parse(texts[0]), avro_schema.parse(texts[1]), True, True)
    cut = Plan(avro_schema.parse(texts[0]), avro_schema.parse(texts[1]),
               {"event_time": True, "page": {"url": True}})
    for _ in range(500):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fast_w, random_click(rng, name == "click-v1.avsc"))
        data = out.getvalue()
        wanted = fastavro.schemaless_reader(io.BytesIO(data), fast_w, fast_r)
        found = plan.decode(data)
        assert found == wanted
        assert cut.decode(data) == {"event_time": wanted["event_time"],
                                    "page": {"url": wanted["page"]["url"]}}
        with pytest.raises(Malformed):
            plan.decode(data[:-1])
        with pytest.raises(Malformed):
            plan.decode(data + b"\0")


TWO = {"type": "record", "name": "R", "fields": [
    {"name": "s", "type": "string"}, {"name": "p", "type": {
        "type": "record", "name": "P", "fields": [{"name": "x", "type": "long"},
                                                  {"name": "y", "type": "string"}]}},
    {"name": "z", "type": "boolean"}]}


def test_only_what_is_needed_is_checked():
    node = avro_schema.parse(json.dumps(TWO))
    loose = Plan(node, node, {"p": {"x": True}})
    assert loose.decode(b"\x02\xff\x06") == {"p": {"x": 3}}         # s is not UTF-8, no y, no z
    assert Plan(node, node, {"z": True}).decode(b"\x00\x06\x02\xff\x01") == {"z": True}
    with pytest.raises(Malformed):
        Plan(node, node, {"s": True}).decode(b"\x02\xff\x06")
    with pytest.raises(Malformed):
        Plan(node, node, {"p": {"x": True}}, strict=True).decode(b"\x00\x06")
    with pytest.raises(Malformed):
        Plan(node, node, {"z": True}).decode(b"\x00\x06\x00\x02")


def test_rounding_of_longs_to_float():
    for value in (0, 1, -1, (1 << 24) + 1, (1 << 24) + 3, (1 << 63) - 1, -(1 << 63),
                  (1 << 54) + (1 << 30) + 1, 123456789123):
        found = avro_decode.to_float32(value)
        assert struct.unpack("<f", struct.pack("<f", found))[0] == found
        below = abs(found - value)
        for step in (-1, 1):
            bits = struct.unpack("<i", struct.pack("<f", found))[0] + step
            if found:
                other = struct.unpack("<f", struct.pack("<i", bits))[0]
                assert abs(int(other) - value) >= below


def test_fingerprint():
    cases = (SHARED or {"fingerprints": {"cases": []}})["fingerprints"]["cases"]
    for case in cases:
        if "--" in case["input"]:
            continue
        wanted = int(case["crc64_avro"]) & ((1 << 64) - 1)
        assert framing.fingerprint_le(case["input"]) == wanted.to_bytes(8, "little")
    assert framing.fingerprint_le('"int"') == struct.pack("<q", 8247732601305521295)


class FakeRegistry(framing.Registry):
    def __init__(self, answers):
        super().__init__("http://nowhere")
        self.answers = answers

    def get(self, path):
        if path not in self.answers:
            raise framing.Unknown(path)
        return self.answers[path]


def written(text, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(without_logical(json.loads(text)),
                                                          named_schemas={}), value)
    return out.getvalue()


def event_schema(logical=None):
    time = {"type": "long", "logicalType": logical} if logical else "long"
    return json.dumps({"type": "record", "name": "E", "fields": [
        {"name": "key", "type": "string"}, {"name": "ts", "type": time}]})


def test_confluent_framing_and_units():
    inner = {"type": "record", "name": "Key", "namespace": "shop", "fields": []}
    outer = json.dumps({"type": "record", "name": "E", "fields": [
        {"name": "extra", "type": "shop.Key"}, {"name": "key", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-nanos"}}]})
    guid = "89791762-2336-4186-9674-299b90a802e2"
    registry = FakeRegistry({
        "/schemas/ids/1": {"schema": event_schema("timestamp-millis")},
        "/schemas/ids/2": {"schema": event_schema("timestamp-micros")},
        "/schemas/ids/3": {"schema": outer, "references": [
            {"name": "shop.Key", "subject": "key-value", "version": 4}]},
        "/subjects/key-value/versions/4": {"schema": json.dumps(inner)},
        "/schemas/ids/5": {"schema": '"string"'}, "/schemas/ids/6": {"schema": "{"},
        "/schemas/ids/7": {"schema": event_schema()},
        f"/schemas/guids/{guid}": {"schema": event_schema()}})
    settings, features, node = build({}, schema__framing="confluent", event__time_unit="s",
                                     schema__max_bytes="16")
    reader = framing.Reader(settings, features, node, registry)
    body = written(event_schema(), {"key": "k", "ts": 5000000})

    def read(id_, data=body):
        fate, key, ts, _ = reader.read(b"\0" + struct.pack(">i", id_) + data)
        return fate or (key, ts)
    assert [read(i) for i in (1, 2, 3, 7)] == [(b"k", 5000000), (b"k", 5000), (b"k", 5),
                                               (b"k", 5000000000)]
    assert [read(i) for i in (4, 5, 6)] == ["unknown_schema"] * 3
    assert read(1, body[:-1]) == "undecodable" and read(1, b"x" * 12) == "oversize"
    header = [("a", b"b"), ("__value_schema_id", b"\1" + bytes.fromhex(guid.replace("-", "")))]
    assert reader.read(body, header)[1:3] == (b"k", 5000000000)
    assert reader.read(body, [("__value_schema_id", b"\1")])[0] == "undecodable"
    assert [reader.read(data)[0] for data in (b"", b"\0\0\0", b"\1\0\0\0\1", None)] == \
        ["undecodable"] * 3 + ["tombstone"]


def test_single_object_framing(tmp_path):
    old, new = tmp_path / "old.avsc", tmp_path / "new.avsc"
    old.write_text(event_schema("timestamp-micros"))
    new.write_text(event_schema("timestamp-nanos").replace('"key"', '"key", "doc": "x"'))
    settings, features, node = build({}, schema__framing="single_object",
                                     schema__writers=f"{old}, {new}")
    reader = framing.Reader(settings, features, node)
    body = written(event_schema(), {"key": "k", "ts": 7000000})
    head = b"\xc3\x01" + framing.fingerprint_le(event_schema())
    # logical types are no part of the canonical form: both files have one fingerprint
    assert reader.read(head + body)[1] == b"k"
    assert reader.read(b"\xc3\x01" + b"\0" * 8 + body)[0] == "unknown_schema"
    assert reader.read(b"\xc3\x02" + head[2:] + body)[0] == "undecodable"


def test_keys():
    settings, features, node = build({})
    reader = framing.Reader(settings, features, node)
    assert reader.judge({"key": 42, "ts": 1}, "ms")[1] == b"42"
    assert reader.judge({"key": b"\0\xff", "ts": 1}, "ms")[1] == b"\0\xff"
    assert reader.judge({"key": None, "ts": 1}, "ms")[1] == b""
    assert reader.judge({"key": "k", "ts": None}, "ms")[0] == "bad_time"
    assert reader.judge({"key": "k", "ts": -1}, "us")[2] == -1
