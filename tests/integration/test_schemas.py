"""Writer schemas: the registry slow, wrong, away; and what each of that does to the records."""
import json
import time

import services
from harness import V2, click, confluent, encode, now_ms, parsed, READER, wait_for


def test_registry_down_known_schemas_go_on(topic, daemon, registry):
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    registry.stop()
    for number in range(100):
        topic.click(f"user{number}", now_ms())
    daemon.wait_caught_up()
    registry.start()        # the oracle asks it too
    daemon.assert_equal()


def test_unknown_id_waits_for_the_registry(topic, daemon, registry):
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    registry.stop()
    home = topic.partition_of("ada")
    topic.click("ada", now_ms(), writer="v1")
    topic.click("ada", now_ms())
    other = next(f"u{n}" for n in range(100) if topic.partition_of(f"u{n}") != home)
    topic.click(other, now_ms())
    topic.flush()
    # The other partition goes on, this one waits: nothing is lost, nothing is skipped.
    daemon.wait(lambda: daemon.fates()["applied"] == 2, what="the other partition goes on")
    time.sleep(1.5)
    assert daemon.fates()["applied"] == 2
    registry.start()
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 4 and daemon.fates()["unknown_schema"] == 0
    daemon.assert_equal()


def test_records_that_wait_do_not_keep_a_daemon_from_stopping(topic, daemon, registry):
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    registry.stop()
    topic.click("ada", now_ms(), writer="v1")
    topic.flush()
    daemon.wait(lambda: daemon.metric("freshet_consumed_total") == 2, what="the record waits")
    daemon.terminate()
    registry.start()
    daemon.start()
    daemon.wait_caught_up()
    daemon.assert_equal()


def test_registry_errors_are_not_a_verdict(topic, make_daemon, registry):
    registry.fail_with = 503
    daemon = make_daemon().start()
    topic.click("ada", now_ms())
    topic.flush()
    daemon.wait(lambda: daemon.metric("freshet_schema_fetch_total"), what="asked")
    time.sleep(1)
    assert sum(daemon.fates().values()) == 0
    registry.fail_with = None
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 1


def test_many_unknown_ids_ask_once_each(topic, daemon, registry):
    good = topic.writers.framed(click("ada", now_ms()))
    for number in range(500):
        topic.raw("ada", confluent(1000 + number % 5, good[5:]))
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    assert daemon.fates()["unknown_schema"] == 500 and daemon.fates()["applied"] == 1
    assert len(registry.requests) < 50


def test_schemas_that_do_not_fit(topic, daemon, registry):
    registry.schemas[7] = '"string"'
    registry.schemas[8] = "{not json"
    registry.schemas[9] = json.dumps({"type": "record", "name": "Click", "namespace": "shop",
                                      "fields": [{"name": "user_id", "type": "string"}]})
    for number in (7, 8, 9):
        topic.raw("ada", confluent(number, b"\x06abc"))
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    assert daemon.fates()["unknown_schema"] == 3 and daemon.fates()["applied"] == 1


def test_schemas_are_kept_on_disk(topic, make_daemon, registry):
    daemon = make_daemon()
    cache = daemon.directory / "schemas"
    cache.mkdir()
    daemon.settings["schema.cache"] = cache
    daemon.start()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    daemon.kill9()
    registry.stop()
    daemon.start()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 2
    for path in cache.iterdir():       # a cache that was damaged is not believed
        path.write_bytes(b"\0" * 100)
    daemon.kill9()
    registry.start()
    daemon.start().wait_caught_up()
    assert daemon.fates()["applied"] == 2


def test_guid_header_framing(topic, daemon, registry):
    """The newer confluent framing: schema id in a header, payload bare; or it is told apart."""
    payload = encode(parsed(READER), click("ada", now_ms()))
    topic.raw("ada", confluent(V2, payload))
    topic.raw("ada", payload)          # neither magic byte nor header
    daemon.wait_caught_up()
    assert daemon.fates()["applied"] == 1


def test_registry_that_never_answers(topic, make_daemon, registry, redis):
    import socket
    port = services.free_ports(1)[0]
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", port))
        deaf.listen(50)
        daemon = make_daemon({"schema.registry": f"http://127.0.0.1:{port}",
                              "schema.registry_timeout": "300ms"}).start()
        topic.click("ada", now_ms())
        topic.flush()
        wait_for(lambda: daemon.metric("freshet_schema_fetch_total"), 20, "a time-out was counted")
        assert daemon.control("PING") == "PONG"
