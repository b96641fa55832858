"""The first path: a click goes in, the features of its user come out."""
import json
import subprocess
import urllib.error
import urllib.request

import services
from harness import (READER, SCHEMAS, Topic, click, client, encode, now_ms, parsed, program, row,
                     single_object, wait_for)


def test_click_becomes_a_row(topic, daemon, redis):
    now = now_ms()
    topic.click("ada", now - 60000, "impression", item_id="hat")
    topic.click("ada", now - 50000, "click", item_id="hat", page={"url": "/b", "referrer": "x"})
    topic.click("ada", now - 40000, "purchase", item_id="hat", price=12.5, quantity=2)
    topic.click("bob", now, "click", item_id="shoe")
    daemon.wait_caught_up()
    ada = row(redis, "ada")
    partition = topic.partition_of("ada")
    expected = {"session_events": "3", "session_duration_ms": "20000", "session_open": "1",
                "session_number": "1", "session_items": "1", "last_items": '["hat"]',
                "entry_url": "/", "clicks_5m": "1", "impressions_24h": "1", "spend_7d": "25",
                "amount_mean_30d": "25", "purchases_24h": "1", "_p": str(partition), "_rev": "0"}
    assert {name: ada.get(name) for name in expected} == expected
    assert len(ada["_v"]) == 16 and int(ada["_o"]) >= 2 and "_w" not in ada
    assert client(redis).ttl("features:ada") > 30 * 86400
    own = client(redis).hgetall(f"freshet:{{{daemon.group}:{topic.name}:{partition}}}:own")
    assert own[b"t"] and int(own[b"seq"]) >= 1
    daemon.assert_equal()
    daemon.terminate()


def test_two_writers_in_one_topic(topic, daemon, redis, registry):
    now = now_ms()
    topic.click("ada", now - 3000, "view", item_id="old", writer="v1")
    topic.click("ada", now - 2000, "view", item_id="new", writer="v2")
    topic.click("ada", now - 1000, "wishlist", item_id="x", price=0.1, writer="v1")
    daemon.wait_caught_up()
    ada = row(redis, "ada")
    # v1 counts microseconds, calls the item product_id, and has a symbol that v2 does not know.
    assert ada["session_duration_ms"] == "2000" and ada["last_items"] == '["new","old"]'
    assert ada["session_events"] == "3"
    assert sorted(set(registry.requests)) == [1, 2]
    daemon.assert_equal()


def test_fates_add_up(topic, daemon):
    for number in range(1000):
        topic.click(f"user{number % 50}", now_ms())
    topic.raw("x", None)
    topic.raw("x", b"garbage")
    daemon.wait_caught_up()
    fates = daemon.fates()
    assert fates["applied"] == 1000 and fates["tombstone"] == 1 and fates["undecodable"] == 1
    assert sum(fates.values()) == 1002
    assert "1002" in str(daemon.control("FATES"))


def test_raw_framing(topic, make_daemon):
    daemon = make_daemon({"schema.framing": "raw", "schema.writer": SCHEMAS / "click-v1.avsc"})
    daemon.start()
    topic.raw("ada", topic.writers.bare(click("ada", now_ms()), "v1"))
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 1
    daemon.assert_equal()


def test_single_object_framing(topic, make_daemon):
    writers = f"{READER}, {SCHEMAS / 'click-v1.avsc'}"
    daemon = make_daemon({"schema.framing": "single_object", "schema.writers": writers}).start()
    now = now_ms()
    for writer, path in (("v2", READER), ("v1", SCHEMAS / "click-v1.avsc")):
        schema = json.loads(path.read_text())
        payload = topic.writers.bare(click("ada", now), writer)
        topic.raw("ada", single_object(schema, payload))
    topic.raw("ada", b"\xc3\x01" + bytes(8) + encode(parsed(READER), click("ada", now)))
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 2 and daemon.fates()["unknown_schema"] == 1
    daemon.assert_equal()


def test_operators_hands(topic, daemon, redis):
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    for words in (["STATUS"], ["HELP"], ["SHARDS"], ["LAG"], ["FEATURES"], ["SCHEMAS"], ["INFO"],
                  ["FATES"], ["METRICS"], ["EXPLAIN", "ada"], ["GET", "ada"]):
        done = subprocess.run(["redis-cli", "-s", daemon.control_socket, *words],
                              capture_output=True, text=True, check=True)
        assert len(done.stdout) > 10 and not done.stdout.startswith("ERR"), done.stdout
    assert "session_events" in str(daemon.control("GET", "ada"))
    # Interactive use begins with COMMAND DOCS and reads commands line by line.
    done = subprocess.run(["redis-cli", "-s", daemon.control_socket], input="PING\nGET nobody\n",
                          capture_output=True, text=True, check=True)
    assert done.stdout.startswith("PONG")
    for words in (["status"], ["shards"], ["ping"], ["explain", "ada"], ["health"]):
        done = program("freshetctl", "-s", daemon.control_socket, *words)
        assert done.returncode == 0 and done.stdout, (words, done)
    done = program("freshetctl", "-s", daemon.control_socket, "--json", "status")
    assert json.loads(done.stdout)
    done = program("freshetctl", "-s", daemon.directory / "nothing.sock", "status")
    assert done.returncode != 0 and "nothing.sock" in done.stderr


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_http(topic, make_daemon, redis):
    port = services.free_ports(1)[0]
    daemon = make_daemon({"http.listen": f"127.0.0.1:{port}"}).start()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: 'freshet_records_total{fate="applied"} 1' in get(f"{base}/metrics")[1],
             what="metrics, published once a second")
    assert get(f"{base}/healthz")[0] == 200
    wait_for(lambda: get(f"{base}/readyz")[0] == 200, what="ready")
    assert get(f"{base}/")[0] == 200 and get(f"{base}/nothing")[0] == 404
    redis.kill()
    wait_for(lambda: get(f"{base}/readyz")[0] == 503, what="not ready without Redis")
    assert get(f"{base}/healthz")[0] == 200


def test_start_at_a_time_names_what_is_warming(topic, make_daemon, redis):
    now = now_ms()
    topic.click("ada", now - 7200_000)
    topic.click("ada", now - 1000)
    topic.flush()
    daemon = make_daemon({"kafka.start": str(now - 3600_000)}).start()
    topic.click("ada", now)
    daemon.wait_caught_up()
    ada = row(redis, "ada")
    assert ada["clicks_24h"] == "2" and "clicks_24h" in ada["_w"].split(",")
    assert "clicks_5m" not in ada["_w"].split(",")


def test_start_at_the_end(topic, make_daemon, redis):
    topic.click("ada", now_ms() - 1000)
    topic.flush()
    daemon = make_daemon({"kafka.start": "latest"}).start()
    daemon.wait_caught_up()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    assert row(redis, "ada")["clicks_24h"] == "1"


def test_prefixes_keep_two_daemons_apart(kafka, topic, make_daemon, redis):
    for number in range(100):
        topic.click(f"user{number % 7}", now_ms())
    first = make_daemon({"redis.prefix": "a:"}, name="a").start()
    second = make_daemon({"redis.prefix": "b:", "kafka.group.id": f"{topic.name}-b"}, name="b")
    second.group = f"{topic.name}-b"
    second.start()
    for daemon in (first, second):
        daemon.wait_caught_up()
        daemon.assert_equal()
    assert row(redis, "user1", "a:") and row(redis, "user1", "b:") and not row(redis, "user1")


def test_another_topic_is_another_world(kafka, redis, registry, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=5)
    daemon = make_daemon(topic=topic).start()
    for number in range(500):
        topic.click(f"user{number}", now_ms())
    daemon.wait_caught_up()
    daemon.assert_equal()
