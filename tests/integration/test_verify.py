"""`freshet verify` finds what in Redis differs from the records, and says why."""
import json
import re
import subprocess
import time

import pytest
from harness import BIN, SCHEMAS, click, client, now_ms, program
from traffic import shop

SUMMARY = re.compile(r"(\d+) keys compared, (\d+) equal, (\d+) differ(?: \((.*)\))?; "
                     r"(\d+) records applied, (\d+) beyond what Redis shows\n\Z")


class Verdict:
    """What a run of `freshet verify` said."""

    def __init__(self, done):
        found = SUMMARY.search(done.stdout)
        assert found, f"{done.returncode}\n{done.stdout[-2000:]}\n{done.stderr}"
        numbers = [int(number) for number in found.group(1, 2, 3, 5, 6)]
        self.status = done.returncode
        self.compared, self.equal, self.differ, self.applied, self.beyond = numbers
        self.reasons = dict(reversed(word.split(" ", 1))
                            for word in (found.group(4) or "").split(", ") if word)
        self.lines = [line.split("\t") for line in done.stdout.splitlines()[:-1]]
        self.errors = done.stderr


def verify(daemon, *words):
    return Verdict(program("freshet", "verify", "-c", daemon.config, *words))


@pytest.fixture
def served(topic, make_daemon):
    """A daemon that is not running any more, and 50 users' rows."""
    daemon = make_daemon().start()
    shop(topic, 4000, seed=21)
    daemon.wait_caught_up()
    daemon.terminate()
    return daemon


def test_equal_rows_are_equal(served, redis):
    first = verify(served)
    assert (first.status, first.differ, first.lines) == (0, 0, [])
    assert first.compared >= 40 and first.applied == 4000 and first.beyond == 0
    second = verify(served, "--jobs", "2")
    assert second.compared == first.compared and second.status == 0
    assert first.compared == len(list(client(redis).scan_iter("features:*")))


def test_a_live_daemon_is_verified(topic, make_daemon):
    """Rows that move while they are compared are no difference without an explanation."""
    daemon = make_daemon({"redis.flush_interval": "200ms"}).start()
    shop(topic, 3000, seed=22)
    daemon.wait_caught_up()
    feeder = subprocess.Popen(
        [BIN / "freshet", "generate", "--brokers", topic.bootstrap, "--topic", topic.name,
         "--events", "3000", "--rate", "500", "--users", "200", "--schema-id", "v2=1,v1=2",
         "--quiet"], stdout=subprocess.DEVNULL)
    try:
        seen = verify(daemon)
        assert seen.status == 0, seen.lines[:10]
        assert set(seen.reasons) <= {"not yet flushed"}
    finally:
        feeder.wait(60)
    daemon.wait_caught_up()
    settled = verify(daemon)
    assert (settled.status, settled.differ) == (0, 0)
    assert settled.applied == 6000
    daemon.terminate()


def test_a_changed_field_is_named(served, redis):
    store = client(redis)
    was = store.hget("features:user1", "impressions_24h").decode()
    store.hset("features:user1", "impressions_24h", "12345")
    store.hdel("features:user2", "session_events")
    store.hset("features:user3", "no_feature_of_ours", "1")
    seen = verify(served)
    assert seen.status == 1 and seen.differ == 3 and seen.reasons == {"unknown": "3"}
    assert ["user1", "impressions_24h", "12345", was, "unknown"] in seen.lines
    assert [line[:3] for line in seen.lines if line[0] == "user2"] == [
        ["user2", "session_events", "(none)"]]
    assert any(line[:2] == ["user3", "no_feature_of_ours"] for line in seen.lines)


def test_missing_and_strange_rows_are_named(served, redis):
    store = client(redis)
    store.delete("features:user4")
    store.hset("features:ghost", mapping={**store.hgetall("features:user5")})
    seen = verify(served)
    assert seen.status == 1 and seen.differ == 2
    assert ["user4", "(row)", "(none)", "(a row)", "missing"] in seen.lines
    ghost = [line for line in seen.lines if line[0] == "ghost"]
    assert ghost and all(line[4] == "unknown" for line in ghost)


def test_a_missing_row_comes_back_while_freshetd_runs(topic, make_daemon, redis):
    """... or it does not: then nobody knows that it is missing."""
    daemon = make_daemon().start()
    shop(topic, 1000, seed=23)
    daemon.wait_caught_up()
    client(redis).delete("features:user1")
    seen = verify(daemon)
    assert seen.status == 1 and seen.reasons == {"missing": "1"}
    daemon.control("RESYNC")
    daemon.wait(lambda: client(redis).exists("features:user1"), 20, "the row again")
    daemon.wait_caught_up()
    assert verify(daemon).status == 0
    daemon.terminate()


def test_a_row_that_waits_for_its_flush_is_explained(topic, make_daemon, redis):
    daemon = make_daemon().start()
    begin = now_ms() - 3600_000
    topic.click("ada", begin, item_id="hat")
    topic.click("bob", begin)
    daemon.wait_caught_up()
    before = client(redis).hgetall("features:ada")
    topic.click("ada", begin + 1000, item_id="shoe")
    topic.click("ada", begin + 2000, item_id="bag")
    daemon.wait_caught_up()
    daemon.terminate()
    assert verify(daemon).status == 0
    store = client(redis)
    store.delete("features:ada")
    store.hset("features:ada", mapping=before)
    seen = verify(daemon)
    assert seen.status == 0 and seen.reasons == {"not yet flushed": "1"}
    assert ["ada", "clicks_5m", "1", "3", "not yet flushed"] in seen.lines
    # What was never right is no row that waits.
    store.hset("features:ada", "clicks_5m", "2")
    seen = verify(daemon)
    assert seen.status == 1 and seen.reasons == {"unknown": "1"}


def test_an_owner_at_work_that_leaves_a_row_behind_is_not_explained(topic, make_daemon, redis):
    daemon = make_daemon().start()
    begin = now_ms() - 3600_000
    topic.click("ada", begin)
    daemon.wait_caught_up()
    before = client(redis).hgetall("features:ada")
    topic.click("ada", begin + 1000)
    daemon.wait_caught_up()
    client(redis).hset("features:ada", mapping=before)
    seen = verify(daemon)
    assert seen.status == 1 and seen.reasons == {"stale": "1"}
    daemon.terminate()


def test_records_that_nobody_has_applied_are_no_difference(served, topic):
    shop(topic, 500, seed=24, start_ms=now_ms())
    seen = verify(served)
    assert (seen.status, seen.differ, seen.beyond) == (0, 0, 500)


def test_another_feature_set_is_explained(served):
    features = served.directory / "other.ini"
    features.write_text((SCHEMAS / "features.ini").read_text() +
                        "\n[feature clicks_10m]\nop = count\nover = 10m\n")
    served.settings["features.file"] = features
    served.write_config()
    seen = verify(served)
    assert seen.status == 0 and seen.equal == 0
    assert seen.reasons == {"other feature set": str(seen.compared)}
    assert {line[1] for line in seen.lines} == {"_v"}


def test_a_foreign_partition_is_explained(served, redis):
    other = 1 - int(client(redis).hget("features:user1", "_p"))
    client(redis).hset("features:user1", "_p", other)
    seen = verify(served)
    assert seen.status == 0 and set(seen.reasons) == {"foreign partition"}
    assert ["user1", "_p", str(other), str(1 - other), "foreign partition"] in seen.lines


def test_an_input_that_begins_late_is_explained(served):
    """Without the records before it, only what cannot be right is different, and named."""
    seen = verify(served, "--from", "200")
    assert seen.status == 0 and seen.differ > 0
    assert set(seen.reasons) <= {"the input begins too late"}


def test_a_sample_is_the_same_on_both_sides(served, redis):
    everything = verify(served)
    few = verify(served, "--sample", "10")
    assert (few.status, few.compared, few.differ) == (0, 10, 0)
    share = verify(served, "--sample", "50%")
    assert share.status == 0 and 0 < share.compared < everything.compared
    again = verify(served, "--sample", "0.5")
    assert again.compared == share.compared
    # Whatever is wrong is found by exactly the samples that its key is in.
    for key in client(redis).scan_iter("features:*"):
        client(redis).hset(key, "clicks_24h", "-1")
    assert verify(served, "--sample", "10").differ == 10
    assert verify(served, "--sample", "50%").differ == share.compared


def test_a_file_can_be_verified_against(topic, make_daemon):
    """The same events as JSON lines are as good as the topic."""
    daemon = make_daemon().start()
    lines, offsets = [], [0, 0]
    for number in range(400):
        user, ts = f"user{number % 7}", now_ms() - 3600_000 + number * 1000
        event = click(user, ts, item_id=f"item{number % 5}")
        partition = topic.partition_of(user)
        topic.raw(user, topic.writers.framed(event), ts)
        lines.append(json.dumps({**event, "@partition": partition,
                                 "@offset": offsets[partition], "@timestamp": ts}) + "\n")
        offsets[partition] += 1
    daemon.wait_caught_up()
    daemon.terminate()
    records = daemon.directory / "events.jsonl"
    records.write_text("".join(lines))
    seen = verify(daemon, "--input", records, "--jobs", "2")
    assert (seen.status, seen.compared, seen.differ, seen.applied) == (0, 7, 0, 400)
    records.write_text("".join(lines[:200]))
    seen = verify(daemon, "--input", records)
    assert seen.status == 0 and seen.reasons == {"beyond the input": "7"}
    records.write_text("".join(lines[:200]) + "no JSON\n")
    done = program("freshet", "verify", "-c", daemon.config, "--input", records)
    assert done.returncode == 65 and "events.jsonl" in done.stderr and "201" in done.stderr


def refusal(daemon, *words, status):
    """Returns standard error of a run that cannot verify anything."""
    done = program("freshet", "verify", "-c", daemon.config, *words)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    return done.stderr


def test_redis_away_is_said(served, redis):
    redis.kill()
    began = time.monotonic()
    text = refusal(served, status=69)
    assert "is it running" in text and "Redis" in text
    assert time.monotonic() - began < 30


def test_a_wrong_password_is_said(served, redis):
    client(redis).config_set("requirepass", "right")
    text = refusal(served, status=69)
    assert "NOAUTH" in text and "redis.password" in text
    served.settings["redis.password"] = "wrong"
    served.write_config()
    assert "WRONGPASS" in refusal(served, status=69)


def test_the_right_to_read_is_enough(served, redis):
    """No script, no write: a user who may only read rows can verify."""
    client(redis).execute_command(
        "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+scan", "+hgetall", "+hmget", "+exists")
    served.settings.update({"redis.user": "reader", "redis.password": "secret"})
    served.write_config()
    assert verify(served).status == 0


def test_kafka_away_is_said(served):
    served.settings["kafka.bootstrap.servers"] = "127.0.0.1:1"
    served.write_config()
    assert "no answer for 30 s" in refusal(served, status=69)


@pytest.mark.parametrize("words, said", [
    ((), "configuration"), (("-c", "x", "--sample", "0"), "--sample 0"),
    (("-c", "x", "--sample", "lots"), "--sample lots"),
    (("-c", "x", "--input", "f", "--from", "3"), "--input"),
    (("-c", "x", "stray"), "stray"), (("-c", "x", "--jobs", "0"), "--jobs 0"),
])
def test_wrong_usage_is_refused(words, said):
    done = program("freshet", "verify", *words)
    assert done.returncode == 64 and said in done.stderr
