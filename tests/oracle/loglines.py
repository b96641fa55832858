"""What the oracle's own tests share: a small schema, settings and records."""
import json
import os

import avro_schema
import feature_set
import oracle
from settings import Settings
from sources import from_json_lines

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SCHEMA = {"type": "record", "name": "E", "fields": [
    {"name": "key", "type": ["null", "string"], "default": None},
    {"name": "ts", "type": "long"},
    {"name": "kind", "type": "string", "default": ""},
    {"name": "value", "type": ["null", "double"], "default": None},
    {"name": "n", "type": ["null", "long"], "default": None},
    {"name": "item", "type": ["null", "string"], "default": None}]}
BASE = {"event.key": "key", "event.time": "ts", "schema.reader": "-", "schema.framing": "raw",
        "session.cut_at": "off"}


def event(ts, key="k", **more):
    """One JSON line's object; `_name` stands for `@name`."""
    line = {"key": key, "ts": ts}
    line.update({("@" + name[1:] if name[0] == "_" else name): value
                 for name, value in more.items()})
    return line


def build(features=(), **values):
    """(settings, features, reader) from {name: {op...}} and configuration with __ for a dot."""
    given = dict(BASE)
    given.update({name.replace("__", "."): value for name, value in values.items()})
    settings, reader = Settings(given), avro_schema.parse(json.dumps(SCHEMA))
    sections = [(name, list(entries.items())) for name, entries in dict(features).items()]
    return settings, feature_set.FeatureSet(sections, reader, settings), reader


def run(lines, features=(), **values):
    """(oracle, rows) of the lines."""
    return oracle.run(lines, *build(features, **values))


def values_of(lines, features, key=b"k", partition=0, **values):
    """The values of one key at the end."""
    return run(lines, features, **values)[1][partition, key][0].values


def fates_of(lines, **values):
    """The fate of each line, in order."""
    built = build({}, **values)
    judge, fates = oracle.Oracle(built[0], built[1], built[2]), []
    for partition, offset, rts, read in from_json_lines(lines, judge.reader):
        fates.append(judge.shard(partition).consume(offset, rts, read).fate)
    return fates


def shared_cases(name):
    """A file of the cases collected from elsewhere, or None: FRESHET_CASES or beside the tree."""
    for folder in (os.environ.get("FRESHET_CASES"), os.path.join(ROOT, "../shared/cases")):
        if folder and os.path.exists(os.path.join(folder, name)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                return json.load(file)
    return None
