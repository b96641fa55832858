"""Every outside call fails once: the daemon goes on, or ends and says why; nothing is lost."""
import contextlib
import os
import re

import pytest
from faultrun import QUICK
from harness import RespError, Topic, now_ms, wait_for
from traffic import Poller, shop

LONG = bool(os.environ.get("FRESHET_FAULT_RUNS"))
# Kind of call, its store, and how much later each next one is than the one before.
CALLS = [("allocation", "dir", 8), ("read", "dir", 4), ("write", "dir", 3), ("fsync", "dir", 1.5),
         ("rename", "dir", 1.5), ("open", "dir", 1.5), ("connect", "dir", 1.5),
         ("send", "kafka", 3), ("receive", "kafka", 3), ("queue_full", "kafka", 3),
         ("produce", "kafka", 3)]
SHOWN = re.compile(r"level=error|assertion_failed|\[(config|error)\]|out of memory")


def numbers(growth):
    """Which calls fail, one a start of the daemon."""
    number, found = 1, []
    while len(found) < (20 if LONG else 4):
        found.append(number)
        number = max(number + 1, int(number * (growth ** 0.5 if LONG else growth)))
    return found


def outcome(daemon, before):
    """Waits until the call has failed and its effect is over; returns what came of it."""
    def said():
        return daemon.log_text()[before:]

    def at_rest():
        if daemon.process.poll() is not None:
            return True
        with contextlib.suppress(OSError, RespError, AssertionError, TypeError):
            return daemon.quiet() and daemon.topic.committed(daemon.group) == ends or \
                "reject_not_stored" in said()
        return False
    ends = daemon.topic.ends()
    try:
        wait_for(at_rest, 30, "rest after a failed call")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{daemon.look()}\n{daemon.log_end()}") from None
    if "failcall kind=" not in said():
        return "not reached"
    return "goes on" if daemon.process.poll() is None else "ended"


@pytest.mark.parametrize("call, store, growth", CALLS)
def test_fails_once(call, store, growth, kafka, redis, make_daemon, directory, shim):
    topic = Topic(kafka.bootstrap, partitions=2)
    for kind in ("late", "dead"):
        topic.create(f"{topic.name}-{kind}")
    daemon = make_daemon({**QUICK, "checkpoint.store": store, "checkpoint.dir": directory / "state",
                          "kafka.group.instance.id": "the one", "late.topic": f"{topic.name}-late",
                          "late.dead_letter_topic": f"{topic.name}-dead"}, topic=topic)
    outcomes = []
    with Poller(redis) as poller:
        for number in numbers(growth):
            before = len(daemon.log_text())
            daemon.launch(env={"LD_PRELOAD": str(shim), "FRESHET_FAILCALL": f"{call}:{number}"})
            shop(topic, 100, seed=number, late=0.1, malformed=0.05, start_ms=now_ms())
            outcomes.append(outcome(daemon, before))
            if outcomes[-1] == "ended":
                status = daemon.process.returncode
                text = daemon.log_text()[before:]
                assert status in (-6, 69, 70, 78), (number, status, daemon.log_end())
                assert SHOWN.search(text), (number, status, text)
            else:
                daemon.kill9()
            if outcomes[-1] == "not reached":
                break
        daemon.start().wait_caught_up()
        assert poller.problems == []
    print(call, outcomes)
    assert set(outcomes) - {"not reached"}, "no call of this kind was seen"
    daemon.assert_equal()
    daemon.terminate()
