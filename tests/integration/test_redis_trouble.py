"""Whatever happens to Redis: nothing is lost, and afterwards it equals the oracle."""
import shutil
import time

import pytest
import redis as redis_client
import services
from harness import click, client, now_ms, row, wait_for
from traffic import Poller, shop


@pytest.fixture
def busy(topic, make_daemon):
    """A daemon that has written rows, with short patience for Redis."""
    daemon = make_daemon({"redis.reply_timeout": "1s", "redis.connect_timeout": "1s"}).start()
    shop(topic, 2000, seed=1)
    daemon.wait_caught_up()
    return daemon


def more(topic, seed=2, count=1000):
    shop(topic, count, seed=seed, start_ms=now_ms())


def wait_alarm(daemon):
    daemon.wait(lambda: daemon.metric("freshet_alarm"), 20, "an alarm")
    assert "redis" in daemon.control("STATUS").lower()


def wait_no_alarm(daemon):
    daemon.wait(lambda: not daemon.metric("freshet_alarm"), 30, "no alarm any more")


def test_emptied(busy, topic, redis):
    client(redis).flushall()
    more(topic)
    busy.wait_caught_up()
    busy.assert_equal()


def test_emptied_while_nothing_comes(busy, redis):
    keys = client(redis).dbsize()
    client(redis).flushall()
    busy.wait(lambda: client(redis).dbsize() == keys, 40, "all rows are back")
    busy.wait_caught_up()
    busy.assert_equal()


def test_stopped_and_started_empty(busy, topic, redis):
    redis.kill()
    more(topic)
    wait_alarm(busy)
    assert busy.metric("freshet_redis_connected") == 0
    redis.start()
    busy.wait_caught_up()
    wait_no_alarm(busy)
    busy.assert_equal()


def test_back_with_an_old_dump(busy, topic, redis):
    client(redis).save()
    shutil.copy(redis.directory / "dump.rdb", redis.directory / "old.rdb")
    more(topic)
    busy.wait_caught_up()
    redis.kill()
    shutil.copy(redis.directory / "old.rdb", redis.directory / "dump.rdb")
    redis.start()
    more(topic, seed=3, count=50)
    busy.wait_caught_up()
    busy.assert_equal()


def test_full(busy, topic, redis):
    peer = client(redis)
    peer.config_set("maxmemory", 1)
    more(topic)
    wait_alarm(busy)
    peer.config_set("maxmemory", 0)
    busy.wait_caught_up()
    wait_no_alarm(busy)
    busy.assert_equal()


def test_read_only(busy, topic, redis):
    peer = client(redis)
    peer.replicaof("127.0.0.1", "1")
    more(topic)
    wait_alarm(busy)
    peer.replicaof("NO", "ONE")
    busy.wait_caught_up()
    wait_no_alarm(busy)
    busy.assert_equal()


def test_wrong_password(busy, topic, redis):
    peer = client(redis)
    peer.config_set("requirepass", "changed")
    peer.client_kill_filter(_type="normal")
    more(topic)
    wait_alarm(busy)
    lines = len(busy.log_text().splitlines())
    time.sleep(3)
    assert len(busy.log_text().splitlines()) - lines < 20      # no storm
    client(redis, password="changed").config_set("requirepass", "")
    busy.wait_caught_up(90)
    busy.assert_equal()


def test_hangs(busy, topic, redis):
    redis.freeze()
    more(topic)
    wait_alarm(busy)
    redis.thaw()
    busy.wait_caught_up()
    busy.assert_equal()


def test_slow(busy, topic, redis):
    peer = client(redis)
    for seed in range(15):
        peer.client_pause(200)
        more(topic, seed=seed, count=100)
    busy.wait_caught_up()
    busy.assert_equal()


def test_comes_and_goes(busy, topic, redis):
    for seed in range(4):
        more(topic, seed=seed, count=200)
        redis.kill()
        time.sleep(0.3)
        redis.start()
        time.sleep(0.3)
    busy.wait_caught_up()
    busy.assert_equal()


def test_never_goes_back_without_a_loss(busy, topic, redis):
    with Poller(redis, pause=0) as poller:
        for seed in range(3):
            more(topic, seed=seed)
            client(redis).client_kill_filter(_type="normal", skipme=True)
        busy.wait_caught_up()
        wait_for(lambda: poller.reads > 100, 60, "a hundred reads")
    assert poller.problems == []
    busy.assert_equal()


def test_deleted_and_changed_by_hand(busy, topic, redis):
    peer = client(redis)
    peer.delete("features:user1")
    peer.hset("features:user2", "clicks_24h", "999")
    busy.control("RESYNC")
    busy.wait(lambda: peer.exists("features:user1"), 20, "the deleted row is back")
    busy.wait_caught_up()
    busy.assert_equal()


def test_row_of_a_wrong_type(busy, topic, redis):
    """Somebody else's string under our name: only that key suffers, until a RESYNC."""
    peer = client(redis)
    peer.delete("features:user1")
    peer.set("features:user1", "mine")
    more(topic)
    busy.wait(lambda: busy.metric("freshet_consumer_lag") == 0, 30, "the rest goes on")
    peer.delete("features:user1")
    busy.control("RESYNC")
    busy.wait(lambda: peer.exists("features:user1"), 20, "the row is there")
    busy.wait_caught_up()
    busy.assert_equal()


def test_own_key_of_a_stranger(busy, topic, redis):
    """What is put over the shard's own hash fences it; it takes over again and writes all."""
    for partition in range(topic.partitions):
        client(redis).set(f"freshet:{{{busy.group}:{topic.name}:{partition}}}:own", "mine")
    more(topic)
    busy.wait_caught_up()
    wait_no_alarm(busy)
    busy.assert_equal()


def test_user_password_database_and_unix_socket(topic, make_daemon, directory):
    server = services.Redis(directory / "guarded", "--requirepass", "other",
                            "--user", "freshet", "on", ">s3cret", "~freshet:*", "~features:*",
                            "+@all", "-@dangerous", "+info")
    server.start()
    try:
        daemon = make_daemon({"redis.user": "freshet", "redis.password": "${env:REDIS_SECRET}",
                              "redis.url": f"unix://{server.socket}?db=3"}, redis=server)
        daemon.start(env={"REDIS_SECRET": "s3cret"})
        topic.click("ada", now_ms())
        daemon.wait_caught_up()
        assert client(server, password="other", db=3).exists("features:ada")
        assert "s3cret" not in daemon.log_text() + daemon.control("INFO")
        assert "s3cret" not in str(daemon.control("CONFIG", "GET", "redis.*"))
        daemon.terminate()
    finally:
        server.kill()


def test_password_that_was_always_wrong(topic, make_daemon, directory):
    server = services.Redis(directory / "guarded", "--requirepass", "right")
    server.start()
    try:
        daemon = make_daemon({"redis.password": "wrong"}, redis=server).start()
        topic.click("ada", now_ms())
        wait_alarm(daemon)
        peer = client(server, password="right")
        peer.config_set("requirepass", "wrong")
        wait_for(lambda: client(server, password="wrong").exists("features:ada"), 60, "the row")
    finally:
        server.kill()


def test_starts_without_redis(topic, make_daemon, redis):
    redis.kill()
    daemon = make_daemon().start()
    shop(topic, 500, seed=7)
    wait_alarm(daemon)
    redis.start()
    daemon.wait_caught_up()
    daemon.assert_equal()


def test_rows_expire_only_when_nobody_refreshes(topic, make_daemon, redis):
    """A TTL is set on each row, and refreshed though no event comes."""
    small = "[feature clicks_5m]\nop = count\nwhere = event_type == \"click\"\nover = 5m\n"
    daemon = make_daemon({"state.keep": "0", "session.gap": "1s", "session.cut_every": "1s",
                          "time.window_lateness": "1s", "redis.ttl": "400s"})
    features = daemon.directory / "small.ini"
    features.write_text(small)
    daemon.settings["features.file"] = features
    daemon.start()
    topic.raw("ada", topic.writers.framed(click("ada", now_ms())))
    daemon.wait_caught_up()
    assert 300 < client(redis).ttl("features:ada") <= 400
    assert row(redis, "ada")["clicks_5m"] == "1"
    daemon.assert_equal()


def test_too_short_a_ttl_is_refused(make_daemon):
    daemon = make_daemon({"redis.ttl": "1h"})
    daemon.launch()
    daemon.wait_end(status=78)
    assert "redis.ttl" in daemon.log_text()


def test_harness_sees_a_difference(busy, redis):
    """The oracle is no yes-man: a changed field, a missing and an extra row are found."""
    peer = client(redis)
    for break_it, mend_it in (
            (lambda: peer.hincrby("features:user1", "clicks_24h", 1),
             lambda: peer.hincrby("features:user1", "clicks_24h", -1)),
            (lambda: peer.rename("features:user2", "hidden"),
             lambda: peer.rename("hidden", "features:user2")),
            (lambda: peer.copy("features:user3", "features:stranger"),
             lambda: peer.delete("features:stranger"))):
        break_it()
        with pytest.raises(AssertionError):
            busy.assert_equal("--settle", "1")
        mend_it()
    busy.assert_equal()
    with pytest.raises(redis_client.ResponseError):
        peer.hincrby("features:user1", "_v", 1)
