"""Signals, configuration errors, and what the process says and returns."""
import signal
import time

from harness import client, now_ms, program
from traffic import shop


def test_sigterm_writes_what_is_dirty_and_commits(topic, make_daemon, redis):
    daemon = make_daemon({"redis.flush_interval": "60s", "redis.flush_keys": 1000000,
                          "kafka.commit_interval": "1h"}).start()
    shop(topic, 1000, seed=1)
    daemon.wait(lambda: sum(daemon.fates().values()) == 1000, what="all consumed")
    daemon.terminate()
    assert topic.committed(daemon.group) == topic.ends()
    assert client(redis).exists("features:user1")
    daemon.assert_equal()


def test_sigterm_has_a_deadline(topic, make_daemon, redis):
    daemon = make_daemon({"control.drain_timeout": "2s"}).start()
    shop(topic, 500, seed=1)
    redis.freeze()
    topic.click("ada", now_ms())
    topic.flush()
    time.sleep(0.5)
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(30)
    assert time.monotonic() - began < 15
    redis.thaw()


def test_second_signal_ends_at_once(topic, make_daemon, kafka):
    """Also while the group is being left, which a broker that stands still does not answer."""
    daemon = make_daemon({"control.drain_timeout": "100ms"}).start()
    shop(topic, 200, seed=1)
    daemon.wait_caught_up()
    kafka.freeze()
    try:
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(6)       # the commit is not waited for any more, the group's answer is
        assert daemon.process.poll() is None
        began = time.monotonic()
        daemon.terminate()
        assert time.monotonic() - began < 4
    finally:
        kafka.kill()        # one that stood still so long is of no use to the next test


def test_sigint_is_sigterm(topic, make_daemon):
    daemon = make_daemon().start()
    daemon.process.send_signal(signal.SIGINT)
    daemon.wait_end()


def test_sighup_applies_what_is_live_and_names_the_rest(daemon):
    daemon.settings["log.level"] = "debug"
    daemon.settings["session.gap"] = "7m"
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait(lambda: "debug" in str(daemon.control("LOG", "LEVEL")), what="live key applied")
    daemon.wait(lambda: "session.gap" in daemon.log_text(), what="the other key is named")
    assert "7m" not in str(daemon.control("CONFIG", "GET", "session.gap"))


def test_sighup_with_a_wrong_file_changes_nothing(daemon):
    daemon.settings["log.level"] = "debug"
    daemon.settings["session.gap"] = "-3"
    daemon.write_config()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait(lambda: "session.gap" in daemon.log_text(), what="the error is logged")
    time.sleep(0.5)
    assert "info" in str(daemon.control("LOG", "LEVEL"))
    assert daemon.control("PING") == "PONG"


def test_all_errors_at_once(make_daemon):
    daemon = make_daemon({"session.gap": "-1", "time.zone_offset": "noon", "redis.nonsense": "1",
                          "nowhere.key": "1", "event.where": "price > ", "event.key": "no_field",
                          "kafka.batch": "0"})
    daemon.launch()
    daemon.wait_end(status=78)
    text = daemon.log_text()
    for word in ("session.gap", "zone_offset", "nonsense", "nowhere", "event.where", "no_field",
                 "batch"):
        assert word in text, text
    lines = [line for line in text.splitlines() if f"{daemon.config}:" in line]
    assert len(lines) >= 7, text
    checked = program("freshetd", "-c", daemon.config, "--check")
    assert checked.returncode == 78 and "nonsense" in checked.stdout + checked.stderr


def test_errors_in_the_features_file_have_line_and_column(make_daemon):
    daemon = make_daemon()
    features = daemon.directory / "features.ini"
    features.write_text("[feature a]\nop = count\nwhere = no_such_field == 1\nover = 5m\n\n"
                        "[feature b]\nop = sum(user_id)\nover = 5m\n\n"
                        "[feature c]\nop = median(price)\nover = 5m\n")
    daemon.settings["features.file"] = features
    daemon.launch()
    daemon.wait_end(status=78)
    text = daemon.log_text()
    for number in (3, 7, 11):
        assert f"{features}:{number}:" in text, text


def test_check_of_a_good_configuration(make_daemon):
    daemon = make_daemon()
    daemon.write_config()
    done = program("freshetd", "-c", daemon.config, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    done = program("freshetd", "-c", daemon.config, "--check", "--online")
    assert done.returncode == 0, done.stdout + done.stderr


def test_environment_wins(topic, make_daemon, redis):
    daemon = make_daemon().start(env={"FRESHET_REDIS_PREFIX": "env:"})
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    assert client(redis).exists("env:features:ada")


def test_help_version_and_dumps():
    for name in ("freshetd", "freshetctl", "freshet"):
        for word in ("--help", "--version"):
            done = program(name, word)
            assert done.returncode == 0 and done.stdout, (name, word)
    for what in ("config", "features", "operators", "metrics", "control", "fates"):
        for form in ("text", "md", "json"):
            words = ["--dump", what, "--format", form]
            done = program("freshetd", *words)
            assert what == "features" or (done.returncode == 0 and done.stdout), (what, form)
    assert program("freshetd", "--nonsense").returncode != 0


def test_logs_are_logfmt_or_json(topic, make_daemon):
    import json
    daemon = make_daemon({"log.format": "json"}).start()
    topic.raw("x", b"\n\x1b[31m")
    daemon.wait_caught_up()
    daemon.terminate()
    for line in daemon.log_text().splitlines():
        json.loads(line[3:] if line.startswith("<") else line)
