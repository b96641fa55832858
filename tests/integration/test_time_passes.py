"""After input stops, windows run empty and the last session closes by themselves."""
import time

from harness import now_ms, row


def values(redis, key, *names):
    found = row(redis, key)
    return [found.get(name) for name in names]


def test_window_counts_down_to_zero(topic, make_daemon, redis):
    daemon = make_daemon({"time.idle_timeout": "1s"}).start()
    now = now_ms()
    for back in (296, 293, 289, 285):
        topic.click("ada", now - back * 1000)
    daemon.wait(lambda: row(redis, "ada"), what="the row")
    seen = []

    def empty():
        count = values(redis, "ada", "clicks_5m")[0]
        if not seen or seen[-1] != count:
            seen.append(count)
        return count == "0"
    daemon.wait(empty, 40, "clicks_5m is 0")
    numbers = [int(count) for count in seen]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) >= 3, seen
    assert values(redis, "ada", "clicks_24h", "session_events") == ["4", "4"]
    assert daemon.metric("freshet_decay_rows_total") >= 1
    # Stated for the present, not for the last event.
    assert abs(int(row(redis, "ada")["_as_of"]) - now_ms()) < 30000


def test_last_session_closes(topic, make_daemon, redis):
    daemon = make_daemon({"time.idle_timeout": "1s", "time.out_of_orderness": "1s",
                          "session.gap": "4s"}).start()
    topic.click("ada", now_ms())
    daemon.wait(lambda: values(redis, "ada", "session_open") == ["1"], what="open session")
    daemon.wait(lambda: values(redis, "ada", "session_open") == ["0"], 20, "closed session")
    assert values(redis, "ada", "session_events", "_rev") == ["1", "0"]
    # The clock closed it, but state follows events: one within the gap still joins.
    topic.click("ada", int(now_ms()) - 2000, rts=now_ms())
    daemon.wait(lambda: int(row(redis, "ada")["_o"]) > 0, what="the second click")


def test_session_is_no_longer_shown_after_keep(topic, make_daemon, redis):
    daemon = make_daemon({"time.idle_timeout": "1s", "time.out_of_orderness": "1s",
                          "session.gap": "2s", "state.keep": "3s"}).start()
    topic.click("ada", now_ms())
    daemon.wait(lambda: values(redis, "ada", "session_events") == ["1"], what="the session")
    daemon.wait(lambda: values(redis, "ada", "session_events") == ["0"], 20, "not shown")
    assert values(redis, "ada", "session_number", "clicks_24h") == [None, "1"]


def test_old_feed_goes_on_at_real_speed(topic, make_daemon, redis):
    """A log that ended a year ago is stated for then, plus the time since we stand at its end."""
    daemon = make_daemon({"time.idle_timeout": "1s"}).start()
    year = 365 * 86400_000
    then = now_ms() - year
    topic.click("ada", then, rts=now_ms())
    daemon.wait_caught_up()
    time.sleep(4)
    assert int(row(redis, "ada")["_as_of"]) < then + 60000


def test_backlog_is_never_idleness(topic, make_daemon, redis):
    daemon = make_daemon({"time.idle_timeout": "1s"}).start()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    daemon.control("PAUSE")
    topic.click("ada", now_ms())
    topic.flush()
    time.sleep(3)
    before = row(redis, "ada")["_as_of"]
    time.sleep(2)
    assert row(redis, "ada")["_as_of"] == before
    daemon.control("RESUME")
    daemon.wait(lambda: values(redis, "ada", "session_events") == ["2"], what="second click")


def test_off_means_never(topic, daemon, redis):
    topic.click("ada", now_ms() - 295_000, rts=now_ms() - 295_000)
    daemon.wait_caught_up()
    time.sleep(8)
    assert values(redis, "ada", "clicks_5m") == ["1"]
    daemon.assert_equal()
