"""Rows made by the evaluator itself are equal; each planted error is found."""
import json
import os
import shutil
import subprocess
import sys
import time

import compare
import fastavro
import oracle
import pytest
import settings as settings_file
import sources
from clicklog import clicks
from loglines import ROOT
from rows_check import Checker, parse_value, render, rendered_row
from test_oracle_avro import written, schema_file

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 4000


def configuration(tmp_path, **more):
    text = (f"[kafka]\ntopic = clicks\ngroup.id = app\n[schema]\nframing = raw\n"
            f"reader = {ROOT}/schemas/click.avsc\n[features]\n"
            f"file = {ROOT}/schemas/features.ini\n")
    for name, value in more.items():
        section, key = name.split("__", 1)
        text += f"[{section}]\n{key} = {value}\n"
    path = tmp_path / "freshet.ini"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    path = configuration(tmp_path_factory.mktemp("judge"))
    made = oracle.Oracle(settings_file.load(path))
    return made.consume(sources.from_json_lines(clicks(COUNT), made.reader))


def checker_of(judge, later=0):
    as_of = {partition: shard.raw + later for partition, shard in judge.shards.items()}
    return Checker(judge.shards, judge.evaluator, as_of)


def rows_of(checker):
    return {key: rendered_row(checker, key, owners[0])
            for key, owners in checker.owners.items()}


def differences(checker, rows):
    found = [d for key, fields in rows.items() for d in checker.row(key, fields)]
    return found + list(checker.missing(set(rows)))


def test_log_is_worth_comparing(judge):
    fates = judge.fates()
    assert fates["applied"] > 3500 and fates["late"] > 20
    assert sum(shard.clamped for shard in judge.shards.values()) > 0
    checker = checker_of(judge)
    rows = rows_of(checker)
    assert len(rows) > 50
    for feature in judge.features.features:
        different = {fields.get(feature.name.encode()) for fields in rows.values()}
        assert len(different) > 1, feature.name


def test_right_rows_are_equal(judge):
    for later in (0, 1, 3600000, 40 * 86400000):
        checker = checker_of(judge, later)
        assert differences(checker, rows_of(checker)) == []


PLANTED = {
    "count": (b"impressions_24h", lambda text: b"%d" % (int(text) + 1)),
    "ratio": (b"ctr_24h", lambda text: repr(float(text) * (1 + 2 ** -52)).encode()),
    "text": (b"entry_url", lambda text: text + b"x"),
    "list": (b"last_items", lambda text: b"[]"),
    "not JSON": (b"last_items", lambda text: text[:-1]),
    "bool": (b"session_open", lambda text: b"true"),
    "lost field": (b"session_number", lambda text: None),
    "partition": (b"_p", lambda text: b"%d" % (1 - int(text))),
    "offset": (b"_o", lambda text: b"%d" % (int(text) - 1)),
    "revision": (b"_rev", lambda text: b"%d" % (int(text) + 1)),
    "version": (b"_v", lambda text: b"f" * 16),
    "as_of ahead": (b"_as_of", lambda text: b"%d" % (int(text) + 1)),
    "as_of not a number": (b"_as_of", lambda text: b"now"),
    "stranger": (b"who", lambda text: b"1"),
    "warming": (b"_w", lambda text: b"ctr_24h"),
    "long as double": (b"clicks_24h", lambda text: text + b".0"),
    "minus zero": (b"carts_7d", lambda text: b"-1"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_found(judge, name):
    field, change = PLANTED[name]
    checker = checker_of(judge)
    rows = rows_of(checker)
    victim = max(key for key, fields in rows.items()
                 if b"last_items" in fields and fields != rows[max(rows, key=len)])
    checker.version = rows[victim][b"_v"]
    text = change(rows[victim].get(field))
    rows[victim][field] = text
    if text is None:
        del rows[victim][field]
    found = differences(checker, rows)
    assert [(d.key, d.field) for d in found][:1] == [(victim, field.decode())]
    assert {d.key for d in found} == {victim}
    assert "expected" in str(found[0]) and "event ts" in str(found[0])


def test_missing_and_extra_rows_are_found(judge):
    checker = checker_of(judge)
    rows = rows_of(checker)
    gone = min(rows)
    rows[b"stranger"] = rows.pop(gone)
    found = differences(checker, rows)
    assert sorted((d.key, d.field) for d in found) == [(b"stranger", "(row)"), (gone, "(row)")]


def test_a_stale_row_is_found(judge):
    """A row stated for an earlier as_of, that decay should have rewritten since."""
    checker = checker_of(judge)
    rows = rows_of(checker)
    later = checker_of(judge, 86400000)
    found = differences(later, rows)
    assert found and {d.field for d in found} <= {
        name + end for name in judge.features.by_name for end in ("",)} | {
        d.field for d in found if " at its own _as_of " in d.field} | {"_rev"}
    assert any(d.field == "impressions_24h" for d in found)
    assert any(d.field == "session_open" for d in found)


def test_an_as_of_that_does_not_fit_the_values_is_found(judge):
    checker = checker_of(judge, 86400000)
    rows = rows_of(checker)
    for fields in rows.values():
        fields[b"_as_of"] = b"%d" % (int(fields[b"_as_of"]) - 86400000)
    assert any(" at its own _as_of " in d.field for d in differences(checker, rows))


def test_empty_keys_may_be_missing_on_either_side(judge):
    checker = checker_of(judge, 40 * 86400000)
    rows = rows_of(checker)
    empty = [key for key in rows if checker.expected(key, checker.owners[key][0],
             checker.as_of[checker.owners[key][0]])[0].empty]
    assert len(empty) == len(rows)
    assert differences(checker, {}) == []
    rows[empty[0]][b"_o"] = b"0"
    assert differences(checker, rows) == []
    rows[empty[0]][b"clicks_5m"] = b"1"
    assert [d.field for d in differences(checker, rows)][:1] == ["clicks_5m"]


def test_render_and_parse_agree(judge):
    for name, value in (("session_events", 12), ("amount_mean_30d", 0.1), ("ctr_24h", 1e22),
                        ("session_open", True), ("entry_url", 'a"é'), ("last_items", ['"', "é"])):
        feature = judge.features.by_name[name]
        assert parse_value(feature, render(feature, value)) == value


def test_keys_in_two_partitions_are_named(judge):
    made = oracle.Oracle(judge.settings)
    lines = list(clicks(20, users=2))
    made.consume(sources.from_json_lines(lines + [dict(line, **{"@partition": 7})
                                                  for line in lines], made.reader))
    assert checker_of(made).foreign() == [b"user-0", b"user-1"]


@pytest.fixture
def redis_socket(tmp_path):
    """A private redis-server on a Unix socket."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    path = str(tmp_path / "r.sock")
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "",
                               "--appendonly", "no", "--dir", str(tmp_path)],
                              stdout=subprocess.DEVNULL)
    for _ in range(100):
        if os.path.exists(path):
            break
        time.sleep(0.05)
    yield path
    server.terminate()
    server.wait()


def fill(client, checker, prefix, as_of):
    for partition in checker.shards:
        client.hset(f"{prefix}freshet:{{app:clicks:{partition}}}:own",
                    mapping={"t": "tok", "as": as_of[partition], "hw": 1, "seq": 1})
    for key, fields in rows_of(checker).items():
        client.hset(prefix.encode() + b"features:" + key, mapping=fields)


def run_compare(config, *more):
    done = subprocess.run([sys.executable, os.path.join(HERE, "compare.py"), "--config", config,
                           "--settle", "1", *more], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_program_with_json_lines(tmp_path, judge, redis_socket):
    prefix = "a[b*:"
    config = configuration(tmp_path, redis__url=f"unix://{redis_socket}?db=0",
                           redis__prefix=prefix)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in clicks(COUNT)))
    client = compare.connect(f"unix:{redis_socket}", settings_file.load(config))
    checker = checker_of(judge, 1000)
    fill(client, checker, prefix, checker.as_of)
    client.hset("other:features:x", "a", "b")
    fates = tmp_path / "fates.json"
    fates.write_text(json.dumps(judge.fates()))
    args = ("--jsonl", str(log), "--fates", str(fates), "--sessions-report")
    code, out = run_compare(config, *args, "--check-idle", "1000", "--as-of-from-redis")
    assert code == 0 and out.rstrip().endswith(f"{len(checker.owners)} keys, 20 features: equal")
    assert out.startswith("fates: {") and '"sessions"' in out
    assert run_compare(config, *args, "--check-idle", "1001")[0] == 1
    assert run_compare(config, *args, "--version", "0" * 16)[0] == 1
    fates.write_text(json.dumps(dict(judge.fates(), late=1)))
    code, out = run_compare(config, *args)
    assert code == 1 and "'(fates)' field late" in out
    key = prefix.encode() + b"features:user-1"
    client.hset(key, "impressions_24h", "999999")
    client.hset(prefix.encode() + b"features:nobody", "_p", "0")
    code, out = run_compare(config, "--jsonl", str(log))
    assert code == 1 and "user-1" in out and "999999" in out and "nobody" in out
    assert "2 differences, 0 problems" in out
    client.delete(key, prefix.encode() + b"features:nobody")
    client.hset(f"{prefix}freshet:{{app:clicks:0}}:own", "as", "5")
    code, out = run_compare(config, "--jsonl", str(log))
    assert code == 1 and "is below raw" in out and "no row" in out


def test_program_with_kafka(tmp_path, judge, redis_socket):
    """The topic on librdkafka's mock cluster, which lives in this process."""
    from confluent_kafka import Producer
    producer = Producer({"test.mock.num.brokers": 1, "linger.ms": 5})
    brokers = ",".join(f"{b.host}:{b.port}"
                       for b in producer.list_topics(timeout=10).brokers.values())
    text = schema_file("click.avsc")
    counts = {}
    for line in clicks(1500):
        partition = line["@partition"]
        counts[partition] = counts.get(partition, 0) + 1
        value = written(text, {k: v for k, v in line.items() if k[0] != "@"})
        producer.produce("clicks", value, line["user_id"], partition, timestamp=line["@timestamp"])
    producer.produce("clicks", b"\xff\xff", "x", 0, timestamp=clicks_end())
    producer.produce("clicks", None, "x", 1, timestamp=clicks_end())
    assert producer.flush(20) == 0
    made = oracle.Oracle(judge.settings)
    made.consume(sources.from_json_lines(clicks(1500), made.reader))
    checker = checker_of(made)
    config = configuration(tmp_path, redis__url=f"unix://{redis_socket}")
    client = compare.connect(f"unix:{redis_socket}", settings_file.load(config))
    fill(client, checker, "", checker.as_of)
    code, out = run_compare(config, "--bootstrap", brokers)
    assert code == 0, out
    assert "1502 records" in out and '"undecodable": 1' in out and '"tombstone": 1' in out


def clicks_end():
    return max(line["@timestamp"] for line in clicks(1500))


def test_fastavro_is_the_pinned_one():
    assert fastavro.__version__ == "1.13.1"
