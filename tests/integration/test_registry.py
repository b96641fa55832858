"""A real registry: two writers with a reference, stopped and started again, an unknown id."""
import json
import urllib.request

import pytest
import services
from harness import Freshetd, click, confluent, encode, now_ms, parsed, READER, SCHEMAS, row

PAGE = {"type": "record", "name": "Page", "namespace": "shop", "fields": [
    {"name": "url", "type": "string"},
    {"name": "referrer", "type": ["null", "string"], "default": None}]}


@pytest.fixture(scope="module")
def apicurio(tmp_path_factory):
    server = services.Registry(tmp_path_factory.mktemp("registry"))
    server.start()
    yield server
    server.kill()


def register(server, subject, schema, references=()):
    body = {"schema": json.dumps(schema), "references": list(references)}
    request = urllib.request.Request(
        f"{server.url}/subjects/{subject}/versions", json.dumps(body).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["id"]


def register_all(server):
    """Registers the old writer, and the new one with its Page by reference."""
    old = register(server, "clicks-v1-value", json.loads((SCHEMAS / "click-v1.avsc").read_text()))
    register(server, "page-value", PAGE)
    new = json.loads(READER.read_text())
    for field in new["fields"]:
        if field["name"] == "page":
            field["type"] = "shop.Page"
    reference = {"name": "shop.Page", "subject": "page-value", "version": 1}
    return old, register(server, "clicks-value", new, [reference])


def test_references_restart_and_unknown_id(apicurio, topic, redis, directory):
    old, new = register_all(apicurio)
    daemon = Freshetd(directory, topic, redis, {"schema.registry": apicurio.url})
    try:
        daemon.start()
        now = now_ms()
        topic.raw("ada", confluent(new, encode(parsed(READER), click("ada", now - 2000))))
        topic.raw("ada", confluent(999999, b"abc"))
        topic.flush()
        daemon.wait(lambda: daemon.fates()["applied"] == 1, what="the new writer")
        daemon.wait(lambda: daemon.fates()["unknown_schema"] == 1, what="the unknown id")
        apicurio.kill()
        topic.raw("ada", confluent(old, topic.writers.bare(click("ada", now - 1000), "v1")))
        topic.raw("ada", confluent(new, encode(parsed(READER), click("ada", now))))
        topic.flush()
        daemon.wait(lambda: daemon.metric("freshet_schema_fetch_total") > 2, what="asks in vain")
        assert daemon.fates()["applied"] == 1
        apicurio.start()
        assert register_all(apicurio) == (old, new)
        daemon.wait_caught_up(90)
        assert daemon.fates()["applied"] == 3
        assert row(redis, "ada")["session_duration_ms"] == "2000"
        daemon.assert_equal()
        daemon.terminate()
    finally:
        daemon.close()
