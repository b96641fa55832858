"""Death at every named step of saving, leasing, writing, committing and giving up partitions."""
import subprocess

import pytest
from faultkinds import STEPS
from faultrun import QUICK
from harness import TREE, Topic, now_ms
from traffic import Poller, shop

REVOKE = [step for step in STEPS if step.startswith("revoke")]
OF_STORE = {"dir": ("chunk", "fsync", "rename", "directory_fsync"), "kafka": ("chunk", "pointer")}
OTHERS = [step for step in STEPS
          if step not in REVOKE and not any(step in steps for steps in OF_STORE.values())]
hit = set()


def sides(steps):
    return [f"{step}.{side}" for step in steps for side in ("before", "after")]


@pytest.fixture
def topic(kafka):
    made = Topic(kafka.bootstrap, partitions=2)
    made.create(f"{made.name}-late")
    made.create(f"{made.name}-dead")
    return made


@pytest.fixture
def quick(make_daemon, topic, directory):
    """Makes daemons that save often."""
    def make(store, name="a", instance=None):
        return make_daemon({**QUICK, "checkpoint.store": store, "checkpoint.dir": directory / name,
                            "kafka.group.instance.id": instance, "late.topic": f"{topic.name}-late",
                            "late.dead_letter_topic": f"{topic.name}-dead"}, name=name)
    return make


def traffic(topic, seed, **words):
    shop(topic, 60, seed=seed, late=0.3, malformed=0.05, start_ms=now_ms(), **words)


def wait_death(daemon, point):
    """It died, by this order and nothing else."""
    daemon.wait_end(30, status=-9)
    assert f"event=failpoint name={point} action=kill" in daemon.log_text()
    hit.add(point)


def armed(*orders):
    return {"FRESHET_FAILPOINT": f"{order}:kill" for order in orders}


def finish(daemon, poller):
    daemon.wait_caught_up()
    assert poller.reads > 0 and poller.problems == []
    daemon.assert_equal()


@pytest.mark.parametrize("store, steps", [("dir", (*OF_STORE["dir"], *OTHERS)),
                                          ("kafka", OF_STORE["kafka"])])
def test_killed_at(store, steps, quick, topic, redis):
    daemon = quick(store, instance="the one").start()
    traffic(topic, 0)
    daemon.wait_caught_up()
    with Poller(redis) as poller:
        peer = poller.connect()
        for number, point in enumerate(sides(steps)):
            daemon.kill9()
            if point.startswith(("mark", "done")):      # rows must be written again
                with poller.lock:
                    peer.flushall()
                    poller.seen.clear()
            daemon.launch(env=armed(f"{point}:{1 + number % 2}"))
            traffic(topic, number + 1)
            wait_death(daemon, point)
        finish(daemon.start(), poller)


def test_killed_while_partitions_are_given_up(quick, topic, redis):
    """Another daemon joins, so that the owner gives up all; it dies at that, and the other takes
    over: it is the next owner."""
    owner, other = quick("kafka"), quick("kafka", "b")
    points = sides(REVOKE)

    def owns(daemon):
        return daemon.metric("freshet_partitions_assigned") == 2
    with Poller(redis) as poller:
        owner.start(env=armed(points[0])).wait(lambda: owns(owner), 30, "partitions")
        for number, point in enumerate(points):
            traffic(topic, number)
            other.start(env=armed(*points[number + 1:number + 2]))
            wait_death(owner, point)
            other.wait(lambda daemon=other: owns(daemon), 30, "take-over")
            owner, other = other, owner
        finish(owner, poller)


def test_every_step_was_hit():
    assert hit == set(sides(STEPS))


def test_other_builds_have_no_failpoints():
    for program, has in ((TREE / "build" / "release" / "freshetd", False),
                         (TREE / "build" / "faults" / "freshetd", True)):
        names = subprocess.run(["nm", "-a", program], capture_output=True, text=True, check=True)
        assert ("failpoint" in names.stdout) == has
        assert (b"FRESHET_FAILPOINT" in program.read_bytes()) == has
