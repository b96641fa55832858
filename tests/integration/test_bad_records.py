"""Every kind of bad record gets its fate, its counter and its place in the right topic."""
import pytest
from harness import V2, Topic, click, confluent, headers_of, now_ms, read_topic, row

HOUR = 3600_000


@pytest.fixture
def streams(kafka):
    """An input topic of one partition with its late and dead-letter topics."""
    topic = Topic(kafka.bootstrap, partitions=1)
    topic.create(f"{topic.name}-late")
    topic.create(f"{topic.name}-dead")
    return topic


def settings(topic):
    return {"late.topic": f"{topic.name}-late", "late.dead_letter_topic": f"{topic.name}-dead",
            "schema.max_bytes": "4KiB", "time.future": "reject", "time.max_age": "2d",
            "event.where": 'country != "XX"'}


def produce_each_fate(topic, now):
    """Produces records one by one; returns [(fate, key, value)] by offset."""
    framed = topic.writers.framed
    good = framed(click("ada", now))
    records = [
        ("applied", good, now),
        ("tombstone", None, now),
        ("oversize", framed(click("ada", now, user_agent="x" * 5000)), now),
        ("unknown_schema", confluent(99, good[5:]), now),
        ("undecodable", b"\x07" + good[1:], now),
        ("undecodable", good[:20], now),
        ("undecodable", b"\x00\x00", now),
        ("undecodable", b"", now),
        ("undecodable", confluent(V2, b"\xff" * 40), now),
        ("bad_time", framed(click("ada", -5)), now),
        ("bad_time", framed(click("ada", 253402300800000)), now),
        ("no_key", framed(click("", now)), now),
        ("no_key", framed(click("k" * 513, now)), now),
        ("future", framed(click("ada", now + 600_000)), now),
        ("too_old", framed(click("ada", now - 72 * HOUR)), now),
        ("filtered", framed(click("ada", now, country="XX")), now),
        ("late", framed(click("bob", now - 3 * HOUR)), now),
        ("windows_only", framed(click("bob", now - 45 * 60_000)), now),
        ("applied", framed(click("bob", now + 1000)), now + 1000),
    ]
    for number, (_, value, rts) in enumerate(records):
        topic.raw(f"key{number}", value, rts, partition=0, headers=[("trace", b"t%d" % number)])
    topic.flush()
    return records


def test_each_fate(streams, make_daemon, redis):
    daemon = make_daemon(settings(streams), topic=streams).start()
    records = produce_each_fate(streams, now_ms())
    daemon.wait_caught_up()
    expected = {}
    for fate, *_ in records:
        expected[fate] = expected.get(fate, 0) + 1
    assert {fate: count for fate, count in daemon.fates().items() if count} == expected
    places = {"late": ("late", "future", "too_old"),
              "dead": ("oversize", "unknown_schema", "undecodable", "bad_time", "no_key")}
    for place, fates in places.items():
        messages = read_topic(streams.bootstrap, f"{streams.name}-{place}")
        wanted = {offset for offset, record in enumerate(records) if record[0] in fates}
        found = {int(headers_of(m)["__connect.errors.offset"]): m for m in messages}
        assert set(found) == wanted and len(messages) == len(wanted)
        for offset, message in found.items():
            fate, value, _ = records[offset]
            headers = headers_of(message)
            assert message.key() == b"key%d" % offset and (message.value() or b"") == value
            assert headers["trace"] == f"t{offset}" and headers["freshet.fate"] == fate
            assert headers["__connect.errors.topic"] == streams.name
            assert headers["__connect.errors.partition"] == "0"
            assert len(headers["__connect.errors.exception.message"]) > 10
            if place == "late":
                assert headers["freshet.schema_id"] == str(V2)
            if fate == "late":
                assert int(headers["freshet.late_by_ms"]) > 0
                assert int(headers["freshet.watermark_ms"]) > 0
            if fate == "unknown_schema":
                assert headers["freshet.schema_id"] == "99"
    daemon.assert_equal()
    daemon.terminate()


def test_without_topics_they_are_counted_and_logged(streams, make_daemon):
    daemon = make_daemon({**settings(streams), "late.topic": "", "late.dead_letter_topic": ""},
                         topic=streams).start()
    produce_each_fate(streams, now_ms())
    daemon.wait_caught_up()
    fates = daemon.fates()
    assert fates["undecodable"] == 5 and fates["late"] == 1 and fates["applied"] == 2
    assert "undecodable" in daemon.log_text() and "offset=" in daemon.log_text()
    daemon.assert_equal()


def test_clock_far_ahead_is_clamped(topic, daemon, redis):
    now = now_ms()
    topic.click("ada", now + 10 * HOUR, rts=now)
    topic.click("ada", now + 1000, rts=now + 1000)
    daemon.wait_caught_up()
    assert row(redis, "ada")["session_duration_ms"] == "1000"
    assert daemon.fates()["applied"] == 2
    assert daemon.metric("freshet_future_clamped_total") == 1
    daemon.assert_equal()


def test_one_bad_record_in_two_stops_nothing(topic, daemon):
    for number in range(2000):
        topic.click(f"user{number % 20}", now_ms())
        topic.raw("x", b"\x00\x00\x00\x00\x01" + bytes([number % 251]) * (number % 40))
    daemon.wait_caught_up()
    fates = daemon.fates()
    assert fates["applied"] >= 2000 and sum(fates.values()) == 4000
    # The log is rate limited: a flood of bad records is no flood of lines.
    assert len(daemon.log_text().splitlines()) < 500
    daemon.assert_equal()


def test_too_many_keys_are_counted(kafka, make_daemon):
    topic = Topic(kafka.bootstrap, partitions=1)
    daemon = make_daemon({"state.max_keys": 10}, topic=topic).start()
    for number in range(15):
        topic.click(f"user{number}", now_ms())
    daemon.wait_caught_up()
    assert daemon.fates()["over_capacity"] == 5
    daemon.assert_equal()
