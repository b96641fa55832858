"""`freshet test`: the shipped examples pass, and an example that is wrong is shown and counted."""
import re

import pytest
from replaying import SCHEMAS, freshet

SETTINGS = '{"@settings": {"schema": "e.avsc", "key": "key", "time": "ts", "gap": "10m"}}\n'
GOOD = SETTINGS + """{"@case": "one"}
{"key": "a", "ts": 1000}
{"@key": "a", "@row": {"seen": 1, "seen_1h": 1}}
"""


def run(bench, cases, *words, status=0):
    return freshet("test", *words, bench.path / "f.ini", bench.file("cases.jsonl", cases),
                   status=status)


def test_the_shipped_features_pass_theirs():
    done = freshet("test", SCHEMAS / "features.ini", SCHEMAS / "features_test.jsonl")
    cases, rows = map(int, re.search(rb"(\d+) cases, (\d+) rows: 0 cases failed, 0 rows",
                                     done.out).groups())
    assert cases > 8 and rows > 15 and done.out.count(b"ok  ") == cases


@pytest.mark.parametrize("old, new", [
    ("over = 5m", "over = 10m"), ("last_distinct(item_id, 5)", "last_n(item_id, 5)"),
    ("beta = 20", "beta = 10"), ("sum(price * quantity)", "sum(price)"),
    ("first(page.url)", "last(page.url)")])
def test_a_changed_feature_fails_them(tmp_path, old, new):
    """The examples see what somebody might break."""
    features = (SCHEMAS / "features.ini").read_text()
    assert old in features
    (tmp_path / "f.ini").write_text(features.replace(old, new))
    done = freshet("test", tmp_path / "f.ini", SCHEMAS / "features_test.jsonl", status=1)
    assert b"FAIL  " in done.out and b"expected" in done.out


def test_what_differs_is_shown(bench):
    done = run(bench, GOOD + """{"@case": "two"}
{"key": "b", "ts": 1000, "n": 3}
{"@key": "b", "@at": "1970-01-01T00:00:02.5Z", "@row": {"seen": 2, "seen_1h": 1}}
{"@key": "a", "@row": {"seen": 0}}
""", status=1)
    assert done.out.decode().splitlines() == [
        "ok    one (1 rows)", "FAIL  two (2 rows)",
        f"    {bench.path}/cases.jsonl:7: b at 1970-01-01T00:00:02.500Z",
        "      seen                     expected 2, found 1",
        "2 cases, 3 rows: 1 cases failed, 1 rows differ"]


def test_values_of_every_type(tmp_path):
    from replaying import Bench     # pylint: disable=import-outside-toplevel
    bench = Bench(tmp_path, """[feature sum]
op = sum(value)
over = 1h
[feature mean]
op = mean(n)
over = 1h
[feature items]
op = last_n(item, 3)
over = 1h
[feature open]
op = session_is_open
[feature by_kind]
op = count
by = kind
over = 1h
""")
    events = """{"@case": "types"}
{"key": "a", "ts": 0, "value": 0.1, "n": 1, "item": "é\\"", "kind": "x"}
{"key": "a", "ts": 1, "value": 0.2, "n": 2, "item": "z", "kind": "y"}
"""
    good = ('{"@key": "a", "@row": {"sum": 0.3, "mean": 1.5, "items": ["z", "\\u00e9\\""], '
            '"open": true, "by_kind": {"y": 1, "x": 1}}}\n')
    run(bench, SETTINGS + events + good)
    for wrong in ('"sum": 0.31', '"mean": null', '"items": ["z"]', '"items": ["é\\"", "z"]',
                  '"open": 1', '"by_kind": {"x": 1}', '"by_kind": {"x": 1, "y": 2}'):
        done = run(bench, SETTINGS + events + f'{{"@key": "a", "@row": {{{wrong}}}}}\n', status=1)
        assert b"expected" in done.out, wrong


def test_options_go_before_settings(bench):
    run(bench, GOOD.replace('"e.avsc"', '"nothing.avsc"'), "--schema", bench.path / "e.avsc")
    run(bench, GOOD.replace(SETTINGS, ""), *bench.options[:2], *bench.options[4:])


def test_presumed_fields_and_idle(bench):
    run(bench, SETTINGS + """{"@presume": {"key": "a"}}
{"@case": "presumed"}
{"ts": 1000}
{"@op": "idle", "as_of": 4000000}
{"@key": "a", "@row": {"seen": 1, "seen_1h": 0}}
""")


@pytest.mark.parametrize("line, wrong", [
    ("nonsense", ":5: "), ("[]", ":5: a line is an object"),
    ('{"key": "a", "tz": 1}', ':5: column 14: E has no field "tz"'),
    ('{"@presume": {"tz": 1}}', ":5: column 15: E has no field"),
    ('{"@key": "a"}', ":5: a row has @key and @row"),
    ('{"@key": "a", "@row": {"sean": 1}}', "there is no feature sean (did you mean seen?)"),
    ('{"@key": "a", "@at": "soon", "@row": {}}', '@at: "soon" is no time'),
    ('{"@key": "a", "@at": 999, "@row": {}}', "@at is before the newest event"),
    ('{"@settings": {}}', "@settings is the first line"), ('{"@case": 1}', "@case is the name"),
])
def test_malformed_cases(bench, line, wrong):
    done = run(bench, GOOD + line + "\n", status=65)
    assert wrong in done.err and "cases.jsonl" in done.err, done.err


def test_exit_statuses(bench, tmp_path):
    assert "no row to be tested" in run(bench, SETTINGS, status=65).err
    assert 'no setting "hap"' in run(bench, SETTINGS.replace("gap", "hap"), status=65).err
    assert "session.gap" in run(bench, GOOD.replace('"10m"', '"0"'), status=78).err
    assert "No such file" in freshet("test", bench.path / "f.ini", tmp_path / "no", status=66).err
    freshet("test", bench.path / "f.ini", status=64)
