"""Layout hash writes only fields that have changed; rows that Redis has lost become whole again."""
import random

from harness import client, now_ms, row
from traffic import shop

USERS = 50


def click_all(topic, count=1):
    for _ in range(count):
        for number in range(USERS):
            topic.click(f"user{number}", now_ms(), item_id="hat")


def test_rows_that_redis_lost_become_whole(topic, make_daemon, redis):
    """Deleted by hand, expired, evicted, or without some of their fields."""
    daemon = make_daemon().start()
    shop(topic, 2000, seed=41, users=USERS)
    click_all(topic)
    daemon.wait_caught_up()
    store, choice = client(redis), random.Random(41)
    lost = 0
    for turn in range(6):
        for number in range(USERS):
            name = f"features:user{number}"
            what = choice.randrange(8)
            if what == 0:
                lost += store.delete(name)
            elif what == 1:
                lost += store.pexpire(name, 1)
            elif what == 2:
                lost += store.hdel(name, "session_events")   # every click changes it
            elif what == 3:
                store.set(name, "a stranger's")
                lost += 1
        click_all(topic)
        daemon.wait_caught_up()
        gone = daemon.metric("freshet_rows_gone_total")
        assert gone >= lost, (turn, gone, lost)
        daemon.assert_equal()
        assert all(store.ttl(f"features:user{number}") > 30 * 86400 for number in range(USERS))
    assert lost > 50
    before = daemon.metric("freshet_rows_gone_total")
    click_all(topic)
    daemon.wait_caught_up()
    assert daemon.metric("freshet_rows_gone_total") == before
    daemon.terminate()


def test_evicted_rows_become_whole(topic, make_daemon, redis):
    daemon = make_daemon().start()
    click_all(topic, 3)
    daemon.wait_caught_up()
    store = client(redis)
    # Those with a TTL are thrown away: rows, and not what a shard keeps of itself.
    store.config_set("maxmemory-policy", "volatile-random")
    store.config_set("maxmemory", 1)
    daemon.wait(lambda: not store.keys("features:*"), 30, "no row is left")
    assert store.info("stats")["evicted_keys"] >= USERS
    store.config_set("maxmemory", 0)
    store.config_set("maxmemory-policy", "noeviction")
    click_all(topic)
    daemon.wait_caught_up(90)
    daemon.assert_equal()
    assert daemon.metric("freshet_rows_gone_total") >= USERS
    daemon.terminate()


def test_what_did_not_change_is_not_written(topic, make_daemon, redis):
    """Seen by what somebody else has written there, which stays until the row is written whole."""
    store = client(redis)
    for memory, kept in (("32MiB", "theirs"), ("0", "/")):
        daemon = make_daemon({"redis.delta_memory": memory}, name=f"m{memory}").start()
        topic.click("ada", now_ms())
        daemon.wait_caught_up()
        topic.click("ada", now_ms())
        daemon.wait_caught_up()
        store.hset("features:ada", "entry_url", "theirs")
        topic.click("ada", now_ms())
        daemon.wait_caught_up()
        assert row(redis, "ada")["entry_url"] == kept
        daemon.control("RESYNC")
        daemon.wait(lambda: row(redis, "ada").get("entry_url") == "/", 20, "the whole row")
        daemon.terminate()
