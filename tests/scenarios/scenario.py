"""Reads a scenario: settings, a timeline of events, and beneath each event what it causes.

README.md describes the words. Whatever is not one of them is an error with file and line.
"""
import json
import re
from datetime import datetime, timedelta, timezone

MONDAY = datetime(2026, 1, 5, tzinfo=timezone.utc)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FIELDS = {"kind": str, "item": str, "price": float, "n": int, "id": str, "visit": str}
SESSION_KINDS = ("open", "close", "correction", "retract")
# The word of a scenario -> the kind of row in a replay.
ROW_KINDS = {"row": "event", "before": "pre_event", "decay": "decay"}
ASKED = ("shows", "label", "final")
COMPARED = (*SESSION_KINDS, *ROW_KINDS)
TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d\d\d))?)?\Z")
UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}


class ScenarioError(Exception):
    """A scenario that cannot be read: file, line and why."""


class Step:
    """One line of the timeline, and what is written beneath it."""

    def __init__(self, line, verb, ms):
        self.line, self.verb, self.ms = line, verb, ms
        self.key, self.fields, self.stamp, self.partition = None, {}, None, 0
        self.offset = None              # of a record, in its partition
        self.expected = []              # (line, row as Scenario.shape() has it)


class Scenario:
    """A file, read."""

    def __init__(self, path):
        self.path, self.number = path, 0
        self.rules, self.sentence = [], ""
        self.settings, self.features, self.compare = {}, {}, []
        self.refused, self.steps, self.days, self.next = None, [], 0, {}
        lines = path.read_text(encoding="utf-8").split("\n")
        for self.number, raw in enumerate(lines, 1):
            text = re.sub(r"(^|\s)-- .*", "", raw).rstrip()
            try:
                if text:
                    self._line(text)
            except (IndexError, ValueError) as error:
                raise self.wrong("a word is missing, or is no number") from error
        if not (self.refused or any(step.expected for step in self.steps)):
            raise self.wrong("the scenario expects nothing")

    def wrong(self, why):
        return ScenarioError(f"{self.path.name}:{self.number}: {why}")

    # ---- the head ----

    def _line(self, text):
        head = {"set": self._set, "feature": self._feature, "compare": self._compare,
                "refused": self._refused}
        words = text.split()
        if not self.rules:
            found = re.match(r"([\w, ]+): (.+)", text)
            if not found:
                raise self.wrong("the first line is RULE: sentence")
            self.rules, self.sentence = re.split(r", *", found[1]), found[2]
        elif text[0] == " " and not (self.settings or self.features or self.steps):
            self.sentence += " " + text.strip()
        elif words[0] in head:
            if self.steps:
                raise self.wrong(f"{words[0]} stands before the first event")
            head[words[0]](text[len(words[0]):].strip())
        elif text[0] == " ":
            self._expectation(words)
        else:
            self._step(words)

    def _set(self, text):
        found = re.fullmatch(r"(\w+\.\w+) = (.+)", text)
        if not found:
            raise self.wrong("write: set section.key = value")
        self.settings[found[1]] = found[2]

    def _feature(self, text):
        name, colon, entries = text.partition(":")
        if not colon or not re.fullmatch(r"\w+", name):
            raise self.wrong("write: feature name: op = ...; over = ...")
        self.features[name] = [entry.strip() for entry in entries.split(";")]

    def _compare(self, text):
        self.compare = text.replace(",", " ").split()
        for word in self.compare:
            if word not in COMPARED:
                raise self.wrong(f"no kind of row '{word}'; there are {', '.join(COMPARED)}")

    def _refused(self, text):
        self.refused = text

    # ---- the timeline ----

    def time(self, words):
        """Takes a time from the front of words; ms since the epoch."""
        day = 0
        if words and words[0] in DAYS:
            day = DAYS.index(words.pop(0))
        word = words.pop(0).rstrip(",") if words else ""
        if re.fullmatch(r"@\d+", word):
            return int(word[1:])
        found = TIME.match(word)
        if not found:
            raise self.wrong(f"'{word}' is no time such as 10:00, Tue 10:00:30.500 or @0")
        hours, minutes, seconds, ms = (int(part or 0) for part in found.groups())
        since = timedelta(days=day, hours=hours, minutes=minutes, seconds=seconds,
                          milliseconds=ms)
        return int((MONDAY + since).timestamp()) * 1000 + ms

    def _step(self, words):
        line = self.number
        if words[0] == "-":
            ms, words = None, words[1:]
        else:
            ms = self.time(words)
        if not words:
            raise self.wrong("a time, and nothing that happens")
        verb = words[0] if words[0] in (*ASKED, "idle", "tombstone") else "event"
        step = Step(line, verb, ms)
        self.steps.append(step)
        if verb != "event":
            words.pop(0)
        if verb in ASKED:
            step.key = words.pop(0)
            step.expected.append((line, self._row(step, verb, words)))
            return
        fate = self._event(step, words)
        if verb == "idle":
            if fate["fate"] != "applied" or step.fields or step.key or step.stamp:
                raise self.wrong("idle has a time and a partition")
            return
        step.offset = self.next.get(step.partition, 0)
        self.next[step.partition] = step.offset + 1
        step.expected.append((line, {"kind": "fate", **fate}))

    def _event(self, step, words):
        """The words of a record; returns its fate."""
        fate, places = {"fate": "applied", "late_by": None}, ["key", "kind", "item"]
        if step.verb != "event":
            places = []
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if word == "->":
                fate["fate"] = words.pop(0) if words else ""
                if words[:1] == ["by"]:
                    fate["late_by"] = self._duration(words[1:])
                    words = words[2:]
            elif word == "stamped":
                step.stamp = self.time(words)
            elif word == "in":
                step.partition = int(words.pop(0))
            elif equals and name in FIELDS:
                step.fields[name] = FIELDS[name](value)
            elif places and not equals:
                place = places.pop(0)
                if place == "key":
                    step.key = None if word == "-" else word
                else:
                    step.fields[place] = word
            else:
                raise self.wrong(f"'{word}' is not understood in an event")
        if places[:2] == ["key", "kind"] or places[:1] == ["kind"]:
            raise self.wrong("an event has a key and a kind, as in: 10:00 ann click")
        return fate

    def _duration(self, words):
        found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", words[0] if words else "")
        if not found:
            raise self.wrong("by is followed by a duration such as 5s")
        return int(found[1]) * UNITS[found[2]]

    # ---- what is expected ----

    def _expectation(self, words):
        if not self.steps:
            raise self.wrong("nothing has happened that could cause this")
        step, word = self.steps[-1], words.pop(0)
        if step.verb in ASKED:
            raise self.wrong(f"what a key {step.verb} stands in the same line")
        if word in ("watermark", "as_of") and step.verb != "idle":
            step.expected[0][1][word] = None if words == ["none"] else self.time(words)
            return
        if word not in COMPARED:
            raise self.wrong(f"'{word}' is no kind of row")
        if word not in self.compare:
            raise self.wrong(f"'{word}' is not among the rows that are compared")
        row = self._session(step, word, words) if word in SESSION_KINDS else \
            self._row(step, ROW_KINDS[word], words)
        step.expected.append((self.number, row))

    def _key(self, step, words):
        if words and words[0] != "rev" and words[0][0] != "#" and "=" not in words[0]:
            return words.pop(0)
        if step.key is None:
            raise self.wrong("say whose row it is")
        return step.key

    def _session(self, step, kind, words):
        row = {"kind": kind, "key": self._key(step, words), "rev": 0}
        if not re.fullmatch(r"#\d+", words[0] if words else ""):
            raise self.wrong("a session is #ID, after the offset that began it")
        session = row["session"] = {"id": int(words.pop(0)[1:]), "start": self.time(words)}
        session["last"] = session["start"]
        if words[:1] == ["to"]:
            words.pop(0)
            session["last"] = self.time(words)
        session["count"] = 1
        session["open"] = kind == "open"
        while words and "=" not in words[0]:
            word = words.pop(0).rstrip(",")
            if re.fullmatch(r"\d+", word) and words and words[0].rstrip(",") in ("event", "events"):
                session["count"] = int(word)
                words.pop(0)
            elif word == "rev" and words:
                row["rev"] = int(words.pop(0))
            elif word in ("open", "closed") and kind in ("correction", "retract"):
                session["open"] = word == "open"
            else:
                raise self.wrong(f"'{word}' is not understood of a session")
        return self._values(row, words)

    def _row(self, step, kind, words):
        row = {"kind": kind, "key": self._key(step, words) if kind not in ASKED else step.key}
        if words[:1] == ["rev"]:
            row["rev"] = int(words[1])
            words = words[2:]
        row = self._values(row, words)
        if "features" not in row:
            raise self.wrong("a row has values, as in: clicks=2")
        return row

    def _values(self, row, words):
        """Values are JSON, split at the names of features."""
        text = " ".join(words)
        if not text:
            return row
        names = list(re.finditer(r"(?:^|\s)(\w+)=", text))
        ends = [found.start() for found in names[1:]] + [len(text)]
        row["features"] = {}
        for found, end in zip(names, ends):
            try:
                row["features"][found[1]] = json.loads(text[found.end():end])
            except ValueError:
                raise self.wrong(f"{text[found.start():end]} is no value in JSON") from None
        if set(row["features"]) != set(self.features) or not names or names[0].start() > 0:
            raise self.wrong("a row names every feature once: " + ", ".join(self.features))
        return row


def clock(ms):
    """A time as a scenario writes it."""
    if ms is None:
        return "none"
    day, rest = divmod(ms - int(MONDAY.timestamp()) * 1000, UNITS["d"])
    if not 0 <= day < len(DAYS):
        return f"@{ms}"
    hours, rest = divmod(rest, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    text = f"{hours:02}:{minutes:02}"
    if rest:
        text += f":{rest // 1000:02}" + (f".{rest % 1000:03}" if rest % 1000 else "")
    return text if day == 0 else f"{DAYS[day]} {text}"


def shown(row):
    """A row in a scenario's words."""
    words = [{kind: word for word, kind in ROW_KINDS.items()}.get(row["kind"], row["kind"])]
    if row["kind"] == "fate":
        words = ["->", row["fate"]] + ([f"by {row['late_by']}ms"] if row["late_by"] else [])
    words += [row["key"]] if row.get("key") else []
    session = row.get("session")
    if session:
        words += [f"#{session['id']}", clock(session["start"]), "to", clock(session["last"]),
                  f"{session['count']} events,", "open" if session["open"] else "closed"]
    words += [f"rev {row['rev']}"] if row.get("rev") else []
    words += [f"{name} {clock(row[name])}" for name in ("watermark", "as_of") if name in row]
    words += [f"{name}={json.dumps(value, ensure_ascii=False)}"
              for name, value in row.get("features", {}).items()]
    return " ".join(words)
