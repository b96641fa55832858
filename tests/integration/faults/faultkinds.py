"""The kinds of faults: each is a function of a run that does the harm and ends it.

A run (faultrun.py) offers daemons, redis, kafka, poller, disk and a seeded `choice`. What loses
data of Redis holds the poller off meanwhile, and lets it forget what it saw.
"""
import re
import time

from harness import TREE, wait_for

SESSION_MS = 2000
STEP_SECONDS = 2        # a step that is not reached by then was not on the way
TABLE = (TREE / "include" / "freshet" / "tables" / "failpoints.def").read_text()
# Of the table of failpoints: name -> whether it can be made to fail.
STEPS = {name: fails == "1"
         for name, fails in re.findall(r"^FAILPOINT\(\w+, (\w+), ([01]),", TABLE, re.MULTILINE)}
LOSSES = ("redis emptied", "redis old dump", "redis fail-over")


def pick(run):
    return run.choice.choice(run.daemons)


def kill(run):
    daemon = pick(run)
    run.alive(daemon)
    daemon.kill9()
    time.sleep(run.choice.choice((0, 0, 0.3)))
    daemon.start()


def freeze(run):
    """Beyond its session: the group gives its partitions to others, who write meanwhile."""
    daemon = pick(run)
    run.alive(daemon)
    run.suspend(daemon)
    time.sleep(SESSION_MS / 1000 + run.choice.uniform(0.5, 1.5))
    run.wake(daemon)


def at_a_step(run, action):
    """Starts a daemon that does this at a random step; returns it, and whether it came there."""
    daemon = pick(run)
    run.alive(daemon)
    daemon.kill9()
    step = run.choice.choice([step for step in STEPS if action != "error" or STEPS[step]])
    side = "before" if action == "error" else run.choice.choice(("before", "after"))
    before = len(daemon.log_text())
    daemon.launch(env={"FRESHET_FAILPOINT": f"{step}.{side}:{run.choice.randint(1, 20)}:{action}"})
    end = time.monotonic() + STEP_SECONDS
    while time.monotonic() < end:
        if "event=failpoint" in daemon.log_text()[before:]:
            return daemon, True
        time.sleep(0.05)
    return daemon, False


def killed_at_a_step(run):
    daemon, hit = at_a_step(run, "kill")
    if not hit:
        daemon.kill9()
    daemon.process.wait(10)
    daemon.start()


def stopped_at_a_step(run):
    daemon, hit = at_a_step(run, "stop")
    if hit:
        run.frozen.add(daemon)
        time.sleep(SESSION_MS / 1000 + 0.5)
        run.wake(daemon)
    else:       # or it would stop when nobody expects it
        daemon.kill9()
        daemon.start()


def step_fails(run):
    at_a_step(run, "error")


def redis_emptied(run):
    with run.poller.lock:
        run.redis.client().flushall()
        run.poller.seen.clear()


def redis_old_dump(run):
    run.redis.snapshot()
    time.sleep(run.choice.uniform(0.1, 1))
    with run.poller.lock:
        run.redis.restore()
        run.poller.seen.clear()


def redis_failover(run):
    replica = run.redis.replicate()
    time.sleep(run.choice.uniform(0.05, 0.6))
    with run.poller.lock:
        run.redis.promote(replica)
        run.poller.seen.clear()


def redis_stopped(run):
    run.redis.stop()
    time.sleep(run.choice.uniform(0, 1.5))
    run.redis.start()


def redis_hangs(run):
    run.redis.server.freeze()
    time.sleep(run.choice.uniform(0.5, 2))
    run.redis.server.thaw()


def redis_full(run):
    peer = run.redis.client()
    peer.config_set("maxmemory", 1)
    time.sleep(run.choice.uniform(0.3, 1))
    peer.config_set("maxmemory", 0)


def redis_slow(run):
    peer = run.redis.client()
    for _ in range(5):
        peer.client_pause(200)
        time.sleep(0.2)


def away(run, server, meanwhile):
    """It goes, in good order or not, and comes back."""
    if run.choice.random() < 0.5:
        server.stop()
    else:
        server.kill()
    meanwhile()
    server.start()


def broker_stopped(run):
    away(run, run.kafka, lambda: time.sleep(run.choice.uniform(0, 1)))


def broker_hangs(run):
    run.kafka.freeze()
    time.sleep(run.choice.uniform(0.5, 3))
    run.kafka.thaw()


def leader_change(run):
    """Of three brokers one goes, and others lead its partitions."""
    broker = run.choice.choice(run.kafka.brokers)

    def others_lead():
        wait_for(lambda: broker.node not in run.topic.leaders(), 60, "other leaders")
        time.sleep(run.choice.uniform(0, 2))
    away(run, broker, others_lead)


def clock_jumps(run):
    """There and back; a daemon may have to start by a wrong clock, too."""
    daemon = pick(run)
    seconds = run.choice.choice((-7200, -30, 30, 7200))

    def noticed():
        return abs(daemon.metric("freshet_redis_clock_difference_seconds") + seconds) < 10
    run.clocks[daemon].jump(seconds)
    wait_for(noticed, 60, "the daemon sees that Redis has another time")
    if run.choice.random() < 0.5:
        kill(run)
        time.sleep(run.choice.uniform(0, 1))
    run.clocks[daemon].jump(0)


def registry_down(run):
    """Schemas that are known stay known; a daemon that starts meanwhile waits for them."""
    run.registry.stop()
    kill(run)
    time.sleep(run.choice.uniform(0, 1))
    run.registry.start()


def rebalance(run):
    """Of three daemons one goes, in good order or not, and comes back."""
    for _ in range(2):
        daemon = pick(run)
        run.alive(daemon)
        if run.choice.random() < 0.5:
            daemon.terminate()
        else:
            daemon.kill9()
        time.sleep(run.choice.uniform(0, 1))
        daemon.start()
        time.sleep(run.choice.uniform(0, 1.5))


def disk_full(run):
    run.disk.fill()
    time.sleep(run.choice.uniform(0.5, 1))
    if run.choice.random() < 0.5:
        kill(run)
    run.disk.free()


KINDS = {
    "kill -9": kill,
    "SIGSTOP": freeze,
    "kill -9 at a step": killed_at_a_step,
    "SIGSTOP at a step": stopped_at_a_step,
    "step fails": step_fails,
    "redis emptied": redis_emptied,
    "redis old dump": redis_old_dump,
    "redis fail-over": redis_failover,
    "redis stopped": redis_stopped,
    "redis hangs": redis_hangs,
    "redis full": redis_full,
    "redis slow": redis_slow,
    "broker stopped": broker_stopped,
    "broker hangs": broker_hangs,
    "leader change": leader_change,
    "clock jumps": clock_jumps,
    "registry down": registry_down,
    "rebalance of three": rebalance,
    "disk full": disk_full,
}
# The first fault of run n is the n-th of these, over and over.
FIRST = ("kill -9", "SIGSTOP", "redis emptied", "rebalance of three", "disk full", "broker stopped",
         "redis old dump", "kill -9", "redis fail-over", "clock jumps", "redis stopped", "kill -9",
         "redis full", "redis slow", "rebalance of three", "broker stopped", "kill -9", "SIGSTOP",
         "redis hangs", "leader change")
# What may come on top of it.
FURTHER = ("kill -9", "kill -9 at a step", "SIGSTOP at a step", "step fails", "redis emptied",
           "redis old dump", "redis fail-over", "redis stopped", "redis hangs", "redis full",
           "redis slow", "broker hangs", "registry down", "clock jumps")
