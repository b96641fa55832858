"""Runs `freshet replay` and `freshet test` on small files for the tests of this folder."""
import json
import os
import subprocess
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FRESHET_BIN_DIR") or TREE / "build" / "release")
SCHEMAS = TREE / "schemas"
PATIENCE = 60
SCHEMA = {"type": "record", "name": "E", "fields": [
    {"name": "key", "type": ["null", "string"], "default": None},
    {"name": "ts", "type": "long"},
    {"name": "kind", "type": "string", "default": ""},
    {"name": "value", "type": ["null", "double"], "default": None},
    {"name": "n", "type": ["null", "int"], "default": None},
    {"name": "item", "type": ["null", "string"], "default": None}]}
COUNTS = "[feature seen]\nop = count\nover = session\n\n[feature seen_1h]\nop = count\nover = 1h\n"
SESSION_KINDS = "open,close,correction,retract,fate"
SHIPPED = ["--schema", SCHEMAS / "click.avsc", "--features", SCHEMAS / "features.ini",
           "--key", "user_id", "--time", "event_time", "--gap", "30m"]


class Run:
    """What a command did."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr.decode()

    @property
    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self):
        return json.loads(self.err.splitlines()[-1])

    def of(self, kind):
        return [row for row in self.rows if row["kind"] == kind]


def freshet(*words, status=0, stdin=b"", **options):
    """Runs the workbench; `status` None takes any."""
    done = subprocess.run([str(word) for word in (BIN / "freshet", *words)], input=stdin,
                          capture_output=True, check=False, timeout=PATIENCE, **options)
    assert status in (None, done.returncode), f"{words}: {done.returncode}\n{done.stderr.decode()}"
    return Run(done)


def lines(events):
    return "".join(json.dumps(event) + "\n" for event in events)


class Bench:
    """A directory with schema, features and events, and the options that name them."""

    def __init__(self, path, features=COUNTS, schema=None):
        self.path = path
        (path / "e.avsc").write_text(json.dumps(schema or SCHEMA))
        (path / "f.ini").write_text(features)
        self.options = ["--schema", path / "e.avsc", "--features", path / "f.ini", "--key", "key",
                        "--time", "ts", "--cut", "off"]

    def file(self, name, content):
        path = self.path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else lines(content))
        return path

    def replay(self, events, *words, status=0, name="events.jsonl"):
        return freshet("replay", *self.options, *words, self.file(name, events), status=status)
