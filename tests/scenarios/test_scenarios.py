"""Each scenario of this folder holds for `freshet replay` and for the oracle, nothing left over.

The rows of the kinds that a scenario compares are exactly those that it says, record by record.
"""
import re
from pathlib import Path

import pytest
from playing import Stage, by_oracle, by_product, shape
from scenario import Scenario, ScenarioError, shown

HERE = Path(__file__).resolve().parent
FILES = sorted(HERE.glob("*.scenario"))
DOCUMENT = HERE.parents[1] / "docs" / "semantics.md"


def differences(scenario, found, left_out=()):
    """Lines that say where a scenario is not what was found."""
    lines = []
    for step in scenario.steps:
        if step.line not in found:
            continue
        rows, missing = list(found[step.line]), []
        for line, row in step.expected:
            if row["kind"] in left_out:
                continue
            same = next((one for one in rows if shape(one, row) == row), None)
            if same is None:
                missing.append((line, row))
            else:
                rows.remove(same)
        lines += [f"{scenario.path.name}:{line}: expected  {shown(row)}" for line, row in missing]
        for row in rows:
            like = next((one for _, one in missing if one["kind"] == row["kind"]),
                        {"features": 0, "rev": 0})
            lines.append(f"{scenario.path.name}:{step.line}: found     {shown(shape(row, like))}")
    return lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path, tmp_path):
    scenario = Scenario(path)
    stage = Stage(scenario, tmp_path)
    if scenario.refused:
        done = stage.freshet()
        assert done.returncode == 78 and scenario.refused in done.stderr, done.stderr
        assert re.search(r"freshet\.ini:\d+: ", done.stderr), done.stderr
        return
    for who, found, left_out in (("freshet replay", by_product(stage), ()),
                                 ("the oracle", by_oracle(stage), ("decay",))):
        wrong = differences(scenario, found, left_out)
        assert not wrong, f"{scenario.sentence}\nby {who}:\n" + "\n".join(wrong)


def test_every_rule_has_a_scenario():
    """Rules are the bold names of the document; each is beside links to its scenarios."""
    text = DOCUMENT.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:- |\| )?\*\*([\w ]+)\*\*", text, re.MULTILINE))
    linked = re.findall(r"\(\.\./tests/scenarios/([\w-]+\.scenario)\)", text)
    assert len(named) > 30
    assert set(linked) == {path.name for path in FILES}
    shown_by = {}
    for path in FILES:
        for rule in Scenario(path).rules:
            shown_by.setdefault(rule, []).append(path.name)
    assert set(shown_by) == named


GOOD = """S2: A sentence.

set session.gap = 10m
feature n: op = count; over = 1h
compare open row

10:00 ann view hat price=2
    open #0 10:00
    row n=1
10:10 shows ann n=1
"""


def read(tmp_path, text):
    path = tmp_path / "x.scenario"
    path.write_text(text, encoding="utf-8")
    return Scenario(path)


@pytest.mark.parametrize("old, new, why", [
    ("S2: A", "A", ":1: the first line is RULE: sentence"),
    ("set session.gap = 10m", "sett session.gap = 10m", ":3: 'sett' is no time"),
    ("set session.gap =", "set gap =", ":3: write: set section.key = value"),
    ("compare open", "compare opens", ":5: no kind of row 'opens'"),
    ("feature n:", "feature n", ":4: write: feature"),
    ("view hat price=2", "view hat prize=2", ":7: 'prize=2' is not understood in an event"),
    ("10:00 ann", "10:0 ann", ":7: '10:0' is no time"),
    ("10:00 ann view hat price=2", "10:00 ann", ":7: an event has a key and a kind"),
    ("    open", "    opens", ":8: 'opens' is no kind of row"),
    ("    open #0", "    close #0", ":8: 'close' is not among the rows that are compared"),
    ("open #0", "open 0", ":8: a session is #ID"),
    ("#0 10:00", "#0 10:00 two events", ":8: 'two' is not understood of a session"),
    ("row n=1", "row m=1", ":9: a row names every feature once: n"),
    ("row n=1", "row n=one", ":9: n=one is no value in JSON"),
    ("row n=1", "row ann", ":9: a row has values"),
    ("shows ann n=1", "shows ann", ":10: a row has values"),
    ("shows ann n=1", "shows", ":10: a word is missing, or is no number"),
    ("price=2", "price=two", ":7: a word is missing, or is no number"),
])
def test_what_is_not_understood_is_refused(tmp_path, old, new, why):
    assert old in GOOD
    with pytest.raises(ScenarioError, match="x.scenario" + re.escape(why)):
        read(tmp_path, GOOD.replace(old, new))


def test_a_scenario_without_expectation_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="expects nothing"):
        read(tmp_path, GOOD[:GOOD.index("10:00")])


@pytest.mark.parametrize("old, new, wrong", [
    ("row n=1", "row n=2", ["x.scenario:9: expected  row ann n=2",
                            "x.scenario:7: found     row ann n=1"]),
    ("    row n=1\n", "", ["x.scenario:7: found     row ann rev 0 n=1"]),
    ("#0 10:00", "#0 10:00 2 events", ["x.scenario:8: expected  open ann #0 10:00 to 10:00 2 "
                                       "events, open",
                                       "x.scenario:7: found     open ann #0 10:00 to 10:00 1 "
                                       "events, open"]),
    ("price=2", "price=2 -> late by 5s", ["x.scenario:7: expected  -> late by 5000ms",
                                          "x.scenario:7: found     -> applied"]),
    ("shows ann n=1", "shows ann n=0", ["x.scenario:10: expected  shows ann n=0",
                                        "x.scenario:10: found     shows ann n=1"]),
])
def test_what_differs_is_shown(tmp_path, old, new, wrong):
    scenario = read(tmp_path, GOOD)
    assert differences(scenario, by_product(Stage(scenario, tmp_path))) == []
    scenario = read(tmp_path, GOOD.replace(old, new))
    assert [line.replace(" rev 0", "") for line in
            differences(scenario, by_product(Stage(scenario, tmp_path)))] == \
        [line.replace(" rev 0", "") for line in wrong]
