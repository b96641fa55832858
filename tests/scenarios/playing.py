"""Plays a scenario through `freshet replay` and through the oracle; both give rows by step."""
import json
import os
import subprocess
import sys
from pathlib import Path

from scenario import ASKED, ROW_KINDS, SESSION_KINDS

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FRESHET_BIN_DIR") or TREE / "build" / "release")
sys.path.insert(0, str(TREE / "tests" / "oracle"))
# pylint: disable=wrong-import-position
import replay as oracle_replay      # noqa: E402
import settings as oracle_settings  # noqa: E402
from rows_check import text_of      # noqa: E402

# The field that event.time may name -> units in a millisecond.
TIME_FIELDS = {"at": 1, "at_us": 1000, "at_s": 0.001}
DEFAULTS = {"schema.reader": "scenario.avsc", "features.file": "features.ini",
            "schema.framing": "raw",
            "event.key": "user", "event.time": "at"}


def nullable(kind):
    return ["null", kind]


def schema():
    """Who did what, and when: in three ways to write a time."""
    def time(unit):
        return {"type": "long", "logicalType": f"timestamp-{unit}"}
    fields = {"user": "string", "at": time("millis"), "at_us": time("micros"), "at_s": "long",
              "kind": "string", "item": "string", "price": "double", "n": "long",
              "id": "string", "visit": "string"}
    return {"type": "record", "name": "Doing", "fields": [
        {"name": name, "type": nullable(kind), "default": None}
        for name, kind in fields.items()]}


class Stage:
    """The files of one scenario in a directory."""

    def __init__(self, scenario, folder):
        self.scenario, self.folder = scenario, folder
        self.kinds = ["fate", *(ROW_KINDS.get(word, word) for word in scenario.compare)]
        self.settings = {**DEFAULTS, **scenario.settings}
        self.config = self._write("freshet.ini", self._ini())
        self._write("scenario.avsc", json.dumps(schema()))
        self._write("features.ini", "".join(
            "\n".join([f"[feature {name}]", *entries, "\n"])
            for name, entries in scenario.features.items()) or
            "[feature nothing]\nop = session_is_open\n")
        self.lines = [self._line(step) for step in scenario.steps if step.verb not in ASKED]
        self.events = self._write("events.jsonl", "".join(
            json.dumps(line) + "\n" for line in self.lines))

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _ini(self):
        sections = {}
        for name, value in self.settings.items():
            section, key = name.split(".")
            sections.setdefault(section, []).append(f"{key} = {value}\n")
        return "".join(f"[{section}]\n{''.join(keys)}\n" for section, keys in sections.items())

    def _line(self, step):
        if step.verb == "idle":
            return {"@op": "idle", "@partition": step.partition, "as_of": step.ms}
        line = {"@partition": step.partition}
        if step.stamp is not None:
            line["@timestamp"] = step.stamp
        if step.verb == "tombstone":
            return {**line, "@timestamp": step.ms, "@value": None}
        if step.ms is not None:
            field = self.settings["event.time"]
            line[field] = int(step.ms * TIME_FIELDS[field])
            if field == "at_s":         # else the record's time would be taken from it as it is
                line.setdefault("@timestamp", step.ms)
        return {**line, **step.fields, **({"user": step.key} if step.key is not None else {})}

    def freshet(self, *words):
        return subprocess.run([BIN / "freshet", "replay", "-c", self.config, *words, self.events],
                              capture_output=True, text=True, timeout=60, check=False)

    def asked(self, verb):
        """(step, offset of the newest record before it in its partition) of such lines."""
        newest = -1
        for step in self.scenario.steps:
            newest = step.offset if step.offset is not None else newest
            if step.verb == verb:
                yield step, newest


def by_product(stage):
    """{step: rows} of `freshet replay`."""
    found = {step.line: [] for step in stage.scenario.steps}
    given(stage, rows_of(stage.freshet("--rows", ",".join(stage.kinds))), found)
    points = list(stage.asked("shows"))
    if points:
        path = stage.folder / "points.jsonl"
        path.write_text("".join(json.dumps(
            {"partition": 0, "offset": offset, "as_of": step.ms, "key": step.key}) + "\n"
            for step, offset in points), encoding="utf-8")
        rows = rows_of(stage.freshet("--at", path))
        for step, offset in points:
            row = next(row for row in rows if (row["offset"], row["as_of"], row["key"]) ==
                       (offset, step.ms, step.key))
            found[step.line].append({**row, "kind": "shows"})
    for verb, knowledge in (("label", "then"), ("final", "final")):
        labels = [step for step, _ in stage.asked(verb)]
        if labels:
            path = stage.folder / f"{verb}.jsonl"
            path.write_text("".join(json.dumps(
                {"key": step.key, "time": step.ms, "line": step.line}) + "\n"
                for step in labels), encoding="utf-8")
            for row in rows_of(stage.freshet("--labels", path, "--knowledge", knowledge)):
                found[row["label"]["line"]].append({**row, "kind": verb})
    return found


def rows_of(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_oracle(stage):
    """{step: rows} of the oracle, which makes no rows of decay and knows no final labels."""
    found = {step.line: [] for step in stage.scenario.steps if step.verb != "final"}
    play = oracle_replay.Replay(oracle_settings.load(stage.config), stage.kinds)
    for step, _ in stage.asked("label"):
        play.ask_label(0, step.key.encode(), step.ms, step.line)
    play.ask_points([(0, offset, step.ms, step.key.encode(), step.line)
                     for step, offset in stage.asked("shows")])
    rows = json.loads(json.dumps(list(play.rows(stage.lines)), default=text_of))
    for row in rows:
        if row.get("ask"):
            kind = "shows" if row["kind"] == "at" else row["kind"]
            found[row["ask"]].append({**row, "kind": kind})
    given(stage, [row for row in rows if not row.get("ask")], found)
    return found


def given(stage, rows, found):
    """Gives rows to the steps that caused them: a record by its offset, else the idle lines."""
    records = {(step.partition, step.offset): step for step in stage.scenario.steps
               if step.offset is not None}
    idle = [step for step in stage.scenario.steps if step.verb == "idle"]
    for row in rows:
        step = records.get((row["partition"], row["offset"]))
        if row["offset"] is None:
            step = next(step for step in idle if step.ms == row["as_of"])
        found[step.line].append(row)


def shape(row, like):
    """What a scenario says of such a row: the members of the one it is compared with."""
    made = {"kind": row["kind"]}
    if row["kind"] == "fate":
        made.update(fate=row["fate"], late_by=row.get("late_by_ms"))
    else:
        made["key"] = row["key"]
    if row["kind"] in SESSION_KINDS:
        session = row["session"]
        made["session"] = {name: session.get(name) for name in
                           ("id", "start", "last", "count", "open")}
    for name in ("rev", "watermark", "as_of", "features"):
        if name in like:
            made[name] = row.get(name)
    return made
