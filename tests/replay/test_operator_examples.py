"""The examples of the operator table: each operator shows what docs/operators.md says that it does.

The events are those that the manual page names; the document shows the same ones.
"""
import json
import re
import subprocess

import pytest
from replaying import BIN, SCHEMAS, TREE, freshet

ONE = re.compile(r"(\d\d:\d\d) (\w+) (\w+)(?: (\d+))?")
COUNTED = {"clicks": "click", "impressions": "impression"}


def dump(form):
    return subprocess.run([BIN / "freshetd", "--dump", "operators", "--format", form], check=True,
                          capture_output=True, text=True).stdout


def events():
    """(time, type, item, price) of the manual page's events."""
    text = re.search(r"2026: (.+?)\. That is event_time", dump("man")).group(1)
    found = [ONE.fullmatch(one) for one in text.split("; ")]
    assert all(found) and len(found) > 5, text
    return [one.groups() for one in found]


@pytest.fixture(scope="module", name="rows")
def operator_rows():
    return json.loads(dump("json"))


def feature(name, op, **keys):
    return "\n".join([f"[feature {name}]", f"op = {op}",
                      *(f"{key} = {value}" for key, value in keys.items()), "\n"])


@pytest.fixture(scope="module", name="shown")
def features_of_all(rows, tmp_path_factory):
    """The values of all examples after the events."""
    folder = tmp_path_factory.mktemp("examples")
    text = "".join(feature(name, "count", where=f'event_type == "{kind}"', over="session")
                   for name, kind in COUNTED.items())
    for number, row in enumerate(rows):
        over = {"lifetime": "lifetime", "session, duration or lifetime": "session"}
        keys = {"over": over[row["over"]]} if row["over"] in over else {}
        text += feature(f"example_{number}", row["example"], **keys)
    (folder / "features.ini").write_text(text)
    (folder / "events.jsonl").write_text("".join(json.dumps(
        {"event_id": "e", "user_id": "ann", "event_time": f"2026-01-05T{time}:00Z",
         "event_type": kind, "item_id": item, "page": {"url": "/"},
         "price": float(price) if price else None}) + "\n"
        for time, kind, item, price in events()))
    done = freshet("replay", "--schema", SCHEMAS / "click.avsc", "--features",
                   folder / "features.ini", "--key", "user_id", "--time", "event_time", "--gap",
                   "30m", folder / "events.jsonl")
    return done.rows[-1]["features"]


def test_every_operator_shows_its_example(rows, shown):
    assert len(rows) > 25
    wrong = [f"{row['example']}: shows {shown[f'example_{number}']}, not {row['shows']}"
             for number, row in enumerate(rows)
             if json.loads(row["shows"]) != shown[f"example_{number}"] or
             re.match(r"\w+", row["example"])[0] != re.match(r"\w+", row["operator"])[0]]
    assert wrong == []


def test_the_document_has_the_same_events():
    text = (TREE / "docs" / "operators.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\d\d:\d\d) \| (\w+) \| (\w+) \| (\d*) ?\|$", text, re.MULTILINE)
    assert [(*one[:3], one[3] or None) for one in found] == events()
