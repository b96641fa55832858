"""Other systems' session cases as lines of every.avsc, and their `expected` in rows of a replay."""
import json
import os

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/data/session_cases.json")
AGG = {"sum": "sum(price)", "count": "count", "max": "max(price)", "min": "min(price)",
       "set": "last_distinct(price, 100)"}
CLOCK = "@clock"        # the other key, whose events move the watermark


def cases():
    with open(DATA, encoding="utf-8") as file:
        return json.load(file)["cases"]


def settings_of(case):
    return {"session.gap": f"{case['gap_ms']}ms", "session.lateness": f"{case['lateness_ms']}ms",
            "time.out_of_orderness": f"{case['out_of_orderness_ms']}ms", "session.cut_at": "off"}


def lines_of(case):
    """The case's events; an op that moves the watermark is an event of another key."""
    slack, lines = case["out_of_orderness_ms"], []
    partitions = sorted({entry["partition"] for entry in case["events"] if "op" not in entry})
    far = max(entry.get("ts", 0) for entry in case["events"]) + 10 * (slack + case["gap_ms"])
    entries = list(case["events"])
    if case["expected"]["appended_eof"]:
        entries.append({"op": "eof"})
    for entry in entries:
        if "op" not in entry:
            value = 1 if isinstance(entry["value"], str) else entry["value"]
            lines.append(line(str(entry["key"]), entry["ts"], value, entry["partition"]))
        elif entry["op"] in ("watermark", "eof"):
            ts = entry["ts"] + 1 + slack if entry["op"] == "watermark" else far
            lines += [line(CLOCK, ts, None, partition) for partition in partitions]
    return lines


def line(key, ts, price, partition):
    return {"who": key, "at": ts, "kind": "view", "price": price, "@partition": partition}


def emitted(rows):
    """(kind, key, start, last, aggregate) of what the rows tell of closed sessions.

    A close is final, a correction of what stays closed is corrected; what was told of a session
    is retracted first when a correction changes it or a merge replaces it.
    """
    told, found = {}, []

    def tell(kind, row, session, agg):
        agg = sorted(agg) if isinstance(agg, list) else agg
        found.append((kind, row["key"], session["start"], session["last"], agg))
    for row in rows:
        session, place = row["session"], (row["partition"], row["session"]["id"])
        if row["kind"] in ("retract", "correction") and place in told:
            tell("retract", row, told.pop(place), None)
        if row["kind"] == "close" or row["kind"] == "correction" and not session["open"]:
            told[place] = session
            tell("final" if row["kind"] == "close" else "corrected", row, session,
                 row["features"]["agg"])
    return [entry for entry in found if entry[1] != CLOCK]


def check(case, rows):
    """Rows of the kinds close, correction, retract and fate against the case's `expected`."""
    wanted = [(emit["kind"], str(emit["key"]), emit["start"], emit["last"],
               sorted(emit["agg"]) if isinstance(emit["agg"], list) else emit["agg"])
              for emit in case["expected"]["emits"]]
    assert emitted(row for row in rows if "session" in row) == wanted
    fates = [(row["key"], row["fate"]) for row in rows if row["kind"] == "fate"]
    late = [str(entry["key"]) for entry in case["expected"]["late"]]
    assert [key for key, fate in fates if fate in ("late", "windows_only")] == late
    assert {fate for _, fate in fates} <= {"applied", "late", "windows_only"}
