"""Every outside call fails once: the daemon goes on, or ends and says why; nothing is lost."""
import contextlib
import itertools
import os
import re
from collections import Counter

import pytest
from faultrun import QUICK
from harness import RespError, Topic, now_ms, wait_for
from traffic import Poller, shop

LONG = bool(os.environ.get("FRESHET_FAULT_RUNS"))
# Kind of call, its store, and how much later each next one is in the short suite.
CALLS = [("allocation", "dir", 8), ("read", "dir", 4), ("write", "dir", 3), ("fsync", "dir", 1.5),
         ("rename", "dir", 1.5), ("open", "dir", 1.5), ("connect", "dir", 1.5),
         ("send", "kafka", 3), ("receive", "kafka", 3), ("queue_full", "kafka", 3),
         ("produce", "kafka", 3)]
SHORT_CALLS = 4
DENSE, LATER = 50, 1.3      # in the long suite: each of so many, then further ones of the kind
ALL = ("fsync", "rename", "open", "connect", "queue_full", "produce")   # there each of these
ALL_MAX = 200
UNREACHED = 2 if LONG else 1    # ends it, in a row: no two runs make the same number of calls
SHOWN = re.compile(r"level=error|assertion_failed|\[(config|error)\]|out of memory")


def numbers(call, growth):
    """Which calls fail, one a start of the daemon."""
    number = 1
    for count in itertools.count(1):
        if count > (ALL_MAX if LONG else SHORT_CALLS):
            return
        yield number
        if not LONG:
            number = max(number + 1, int(number * growth))
        elif call in ALL or number < DENSE:
            number += 1
        else:
            number = int(number * LATER)


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


@pytest.mark.timeout(3600 if LONG else 300)
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
        for number in numbers(call, growth):
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
            if set(outcomes[-UNREACHED:]) == {"not reached"}:
                break
        daemon.start().wait_caught_up()
        assert poller.problems == []
    print(call, len(outcomes), Counter(outcomes))
    assert set(outcomes) - {"not reached"}, "no call of this kind was seen"
    daemon.assert_equal()
    daemon.terminate()
