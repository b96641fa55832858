"""Layout packed: rows are Avro strings of the same values, also when the layout is changed."""
import json
import re
import sys

import fastavro
import pytest
from harness import TREE, client, encode, now_ms, program, row, single_object, wait_for
from traffic import shop

sys.path.insert(0, str(TREE / "deploy"))
from read_packed import PackedRows  # noqa: E402

PACKED = {"redis.layout": "packed"}


def schema_of(daemon):
    """What `--dump features --format avsc` prints."""
    done = program("freshetd", "--dump", "features", "--format", "avsc", "-c", daemon.config)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def typed(schema, name, text):
    """A field of layout hash as Avro has it."""
    kinds = {field["name"]: field["type"] for field in schema["fields"]}
    kind = kinds[name][1] if isinstance(kinds[name], list) else kinds[name]
    if text is None or kind == "string":
        return text
    if kind == "boolean":
        return text == "1"
    return float(text) if kind == "double" else json.loads(text)


def types(redis, pattern="features:*"):
    store = client(redis)
    return {store.type(name) for name in store.scan_iter(pattern)}


def buy(topic, item):
    now = now_ms()
    topic.click("ada", now - 1000, item_id=item)
    topic.click("ada", now, "purchase", item_id=item, price=12.5, quantity=2)


def test_a_packed_row_has_the_values_of_a_hash(topic, make_daemon, redis):
    shop(topic, 3000, seed=31)
    daemons = [make_daemon({"redis.prefix": "h:", "kafka.group.id": f"{topic.name}-h"}, name="h"),
               make_daemon({"redis.prefix": "p:", **PACKED}, name="p")]
    daemons[0].group = f"{topic.name}-h"
    for daemon in daemons:
        daemon.start().wait_caught_up()
        daemon.assert_equal()
    schema = schema_of(daemons[1])
    rows = PackedRows([schema])
    store = client(redis)
    names = sorted(name.decode()[len("p:features:"):] for name in store.scan_iter("p:features:*"))
    assert len(names) >= 40
    for name in names:
        raw = store.get(f"p:features:{name}")
        found = rows.decode(raw)
        wanted = row(redis, name, "h:")
        assert list(found)[:6] == ["_as_of", "_p", "_rev", "_o", "_v", "_w"]
        for feature in [field["name"] for field in schema["fields"]][1:]:
            assert found[feature] == typed(schema, feature, wanted.get(feature)), (name, feature)
        assert store.ttl(f"p:features:{name}") > 30 * 86400
    assert types(redis, "p:features:*") == {b"string"}


def test_the_reader_example_runs(topic, make_daemon, redis):
    daemon = make_daemon(PACKED).start()
    buy(topic, "hat")
    daemon.wait_caught_up()
    path = daemon.directory / "features.avsc"
    path.write_text(json.dumps(schema_of(daemon)))
    done = program(sys.executable, TREE / "deploy" / "read_packed.py",
                   f"redis://127.0.0.1:{redis.port}/0", "ada", "bob", "--", path)
    ada, bob = map(json.loads, done.stdout.splitlines())
    assert ada["ada"]["spend_7d"] == 25.0 and ada["ada"]["last_items"] == ["hat"]
    assert bob == {"bob": None}


def test_rows_written_with_an_older_schema_are_read(topic, make_daemon):
    """As during the roll-out of a changed feature set."""
    schema = schema_of_any(make_daemon)
    older = {**schema, "fields": [field for field in schema["fields"]
                                  if field["name"] != "ctr_24h"]}
    record = {field["name"]: None for field in older["fields"]}
    record.update(_as_of=1000, _p=1, _rev=0, _o=7, _v="0" * 16, clicks_5m=3)
    body = written(older, record)
    found = PackedRows([schema, older]).decode(body)
    assert found["clicks_5m"] == 3 and found["ctr_24h"] is None
    with pytest.raises(ValueError, match="not a row of a schema"):
        PackedRows([schema]).decode(body)


def schema_of_any(make_daemon):
    daemon = make_daemon(PACKED)
    daemon.write_config()
    return schema_of(daemon)


def written(schema, record):
    return single_object(schema, encode(fastavro.parse_schema(schema), record))


def inspect(daemon, key):
    done = program("freshet", "inspect", "--redis", key, "--config", daemon.config)
    return done.returncode, done.stdout and json.loads(done.stdout), done.stderr


def test_inspect_prints_rows_of_either_layout(topic, make_daemon, redis):
    daemon = make_daemon().start()
    buy(topic, 'h"at')
    daemon.wait_caught_up()
    status, plain, _ = inspect(daemon, "ada")
    assert status == 0 and plain.pop("layout") == "hash"
    assert (plain["session_open"], plain["last_items"], plain["spend_7d"]) == (True, ['h"at'], 25)
    daemon.terminate()
    daemon.settings.update(PACKED)
    daemon.start()
    daemon.wait(lambda: types(redis) == {b"string"}, 20, "packed rows")
    daemon.wait_caught_up()
    status, packed, _ = inspect(daemon, "ada")
    assert status == 0 and packed.pop("layout") == "packed" and packed == plain
    status, _, said = inspect(daemon, "nobody")
    assert status == 66 and "nobody has no row" in said
    # A row of other features cannot be read; whose it is can.
    store = client(redis)
    other = store.get("features:ada")
    store.set("features:ada", other[:2] + bytes(8) + other[10:].replace(
        packed["_v"].encode(), b"f" * 16))
    status, short, said = inspect(daemon, "ada")
    assert status == 65 and "ffffffffffffffff" in said
    assert short == {name: value for name, value in {**packed, "layout": "packed",
                                                     "_v": "f" * 16}.items()
                     if name[0] == "_" or name in ("key", "layout")}
    redis.kill()
    status, _, said = inspect(daemon, "ada")
    assert status == 69 and "is it running" in said


@pytest.mark.parametrize(("one", "other"), [("hash", "packed"), ("packed", "hash")])
def test_a_changed_layout_replaces_every_row(topic, make_daemon, redis, one, other):
    """State comes from a checkpoint, so nothing but the layout makes rows be written again."""
    daemon = make_daemon({"redis.layout": one}, name="a")
    daemon.settings["checkpoint.dir"] = daemon.directory / "state"
    daemon.start()
    shop(topic, 2000, seed=32)
    daemon.wait_caught_up()
    daemon.assert_equal()
    store = client(redis)
    names = set(store.scan_iter("features:*"))
    daemon.terminate()
    # A row that no state has, as it stays behind when a key was forgotten meanwhile.
    some = next(iter(names))
    store.copy(some, "features:ghost")
    daemon.settings["redis.layout"] = other
    daemon.start()
    wanted = b"hash" if other == "hash" else b"string"
    daemon.wait(lambda: types(redis) == {wanted}, 30, "rows of the new layout only")
    daemon.wait(lambda: not store.exists("features:ghost"), 30, "the sweep")
    daemon.wait_caught_up()
    assert "checkpoint_loaded" in daemon.log_text()
    assert set(store.scan_iter("features:*")) == names
    daemon.assert_equal()
    assert min(store.ttl(name) for name in names) > 30 * 86400
    # Once is enough.
    written_rows = daemon.metric("freshet_rows_total")
    daemon.terminate()
    daemon.start().wait_caught_up()
    assert written_rows >= len(names) > daemon.metric("freshet_rows_total")
    daemon.terminate()


def test_verify_reads_packed_rows(topic, make_daemon, redis):
    daemon = make_daemon(PACKED).start()
    shop(topic, 3000, seed=33)
    daemon.wait_caught_up()
    daemon.terminate()

    def verify():
        done = program("freshet", "verify", "-c", daemon.config)
        return done.returncode, done.stdout.splitlines()
    status, lines = verify()
    assert status == 0 and len(lines) == 1 and "0 differ" in lines[0], lines[:5]
    store, schema = client(redis), schema_of(daemon)
    rows = PackedRows([schema])
    record = rows.decode(store.get("features:user1"))
    was = record["impressions_24h"]
    store.set("features:user1", written(schema, {**record, "impressions_24h": 12345}))
    store.set("features:user2", "a stranger's")
    store.delete("features:user3")
    store.hset("features:user3", "_p", "1")
    status, lines = verify()
    found = [tuple(line.split("\t")) for line in lines[:-1]]
    assert status == 1 and "3 differ" in lines[-1]
    assert ("user1", "impressions_24h", "12345", str(was), "unknown") in found
    assert {line[0]: line[-1] for line in found} == {
        "user1": "unknown", "user2": "missing", "user3": "missing"}


def test_what_strangers_put_at_our_names_is_replaced(topic, make_daemon, redis):
    daemon = make_daemon(PACKED).start()
    store = client(redis)
    store.rpush("features:ada", "a list")
    store.set("features:bob", "a string")
    store.hset("features:eve", "a", "hash")
    now = now_ms()
    for name in ("ada", "bob", "eve"):
        topic.click(name, now)
    daemon.wait_caught_up()
    daemon.assert_equal()
    # A row that is gone comes back with its TTL.
    store.delete("features:ada")
    topic.click("ada", now)
    daemon.wait_caught_up()
    wait_for(lambda: store.ttl("features:ada") > 30 * 86400, what="the row and its expiry")
    daemon.assert_equal()
    daemon.terminate()


@pytest.mark.parametrize("layout", ["hash", "packed"])
def test_the_least_rights_of_the_readme_are_enough(topic, make_daemon, redis, layout):
    text = " ".join((TREE / "README.md").read_text().split())
    rights = re.search(r"The Redis user needs `([^`]+)` on `([^`]+)` and `([^`]+)`", text)
    store = client(redis)
    store.execute_command("ACL", "SETUSER", "freshet", "on", ">secret", rights[2], rights[3],
                          *rights[1].split())
    daemon = make_daemon({"redis.layout": layout, "redis.user": "freshet",
                          "redis.password": "secret"}).start()
    shop(topic, 500, seed=34)
    daemon.wait_caught_up()
    daemon.control("RESYNC")
    daemon.wait(lambda: "sweep_ended" in daemon.log_text(), 30, "the sweep")
    done = program("freshet", "verify", "-c", daemon.config)
    assert done.returncode == 0, done
    assert "NOPERM" not in daemon.log_text() + str(store.acl_log())
    daemon.terminate()
