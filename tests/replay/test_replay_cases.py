"""Session cases of other stream processors (tests/unit/data) through `freshet replay`.

A case speaks of a system that emits sessions and takes back what it emitted; a replay gives rows of
sessions by id. The mapping, row by row:

    close                       final
    correction, session closed  corrected
    correction, session open    nothing yet: its close comes later
    retract                     retract

and a row of a session whose id was emitted before takes that back first (a retract as it was). The
order of what one record causes is not compared. late = fate late or windows_only. `watermark` is an
event of another key at ts + 1 + out_of_orderness, `eof` one far ahead.
"""
import json

import pytest
from replaying import SESSION_KINDS, TREE, Bench

CASES = {case["name"]: case for case in json.loads(
    (TREE / "tests" / "unit" / "data" / "session_cases.json").read_text())["cases"]}
OPERATORS = {"sum": "sum(value)", "max": "max(value)", "min": "min(value)",
             "set": "distinct(value)", "count": "count"}
CLOCK, FAR = "the clock", 10**12


def events_of(case):
    """The case's events as JSON lines; each stands for one record."""
    def clock(watermark):
        return {"key": CLOCK, "ts": watermark + case["out_of_orderness_ms"]}
    for event in case["events"]:
        if event.get("op") == "watermark":
            yield clock(event["ts"] + 1)
        elif event.get("op") == "eof":
            yield clock(FAR)
        elif "op" not in event:
            value = event.get("value")
            number = value if isinstance(value, (int, float)) else None
            yield {"key": str(event["key"]), "ts": event["ts"], "value": number}
    if case["expected"].get("appended_eof"):
        yield clock(FAR)


def emits_of(rows):
    """What a system that emits sessions would have emitted, by the offset that caused it."""
    published, emits = {}, []

    def take_back(row, identity):
        before = published.pop(identity, None)
        if before:
            emits.append((row["offset"], "retract", row["key"], *before, None))
    for row in rows:
        if "session" not in row or row["kind"] == "open" or row["key"] == CLOCK:
            continue
        session = row["session"]
        identity = row["key"], session["id"]
        span = session["start"], session["last"]
        take_back(row, identity)
        kind = {"close": "final", "correction": "corrected"}.get(row["kind"])
        if kind and not session["open"]:
            emits.append((row["offset"], kind, row["key"], *span, row["features"]["agg"]))
            published[identity] = span
    return emits


def expected_of(case):
    for emit in case["expected"]["emits"]:
        agg = emit.get("agg")
        agg = len(agg) if isinstance(agg, list) else agg
        yield emit["kind"], str(emit["key"]), emit["start"], emit["last"], agg


@pytest.mark.parametrize("name", CASES)
def test_case(name, tmp_path):
    case = CASES[name]
    bench = Bench(tmp_path, f"[feature agg]\nop = {OPERATORS[case['agg']]}\nover = session\n")
    run = bench.replay(
        list(events_of(case)), "--rows", SESSION_KINDS, "--gap", f"{case['gap_ms']}ms",
        "--lateness", f"{case['lateness_ms']}ms",
        "--out-of-orderness", f"{case['out_of_orderness_ms']}ms")
    got = [emit[1:] for emit in emits_of(run.rows)]
    assert sorted(got, key=str) == sorted(expected_of(case), key=str)
    late = [(row["key"], row["offset"]) for row in run.of("fate")
            if row["fate"] in ("late", "windows_only")]
    offsets = dict(enumerate(events_of(case)))
    assert [(key, offsets[offset]["ts"]) for key, offset in late] == [
        (str(event["key"]), event["ts"]) for event in case["expected"]["late"]]
    assert all(row["late_by_ms"] > 0 for row in run.of("fate") if row["fate"] != "applied")


def test_enough_cases():
    assert len(CASES) >= 18
