"""A topic that is not partitioned by the entity key is noticed, counted and explained."""
from harness import client, now_ms, program
from traffic import shop


USERS = 9       # odd, so that each of them meets every one of two partitions


def scatter(topic, count=400):
    for number in range(count):
        topic.click(f"user{number % USERS}", now_ms(), partition=number % topic.partitions)
    topic.flush()


def test_daemon_notices(topic, daemon):
    scatter(topic)
    daemon.wait(lambda: daemon.metric("freshet_foreign_key_total"), 30, "foreign keys counted")
    assert daemon.metric("freshet_alarm")
    status = daemon.control("STATUS").lower()
    assert "partition" in status and "key" in status


def test_check_notices_before_the_first_start(topic, make_daemon):
    daemon = make_daemon()
    daemon.write_config()
    shop(topic, 300, seed=1, malformed=0)
    good = program("freshet", "check", "-c", daemon.config, "--online", "--sample", "300")
    assert good.returncode == 0, good.stdout + good.stderr
    scatter(topic)
    bad = program("freshet", "check", "-c", daemon.config, "--online", "--sample", "1000")
    assert bad.returncode != 0 and "partition" in (bad.stdout + bad.stderr).lower()


def test_well_partitioned_topic_raises_no_alarm(topic, daemon, redis):
    shop(topic, 2000, seed=1)
    daemon.wait_caught_up()
    assert not daemon.metric("freshet_foreign_key_total") and not daemon.metric("freshet_alarm")
    assert client(redis).dbsize() > 10
