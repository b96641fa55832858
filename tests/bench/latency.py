"""Freshness at a rate: from the intended time of a click to its value in Redis, open loop."""
import json
import statistics
import threading
import time

from stage import BIN, Daemon, Topic, Wrong, memory_mb, run

STEPS = 1.5             # the ramp multiplies the rate by so much
FIRST_RATE = 10_000
RAMP_S, LOAD_S, OVERLOAD_S = 4, 10, 10
SUSTAINED_MS = 500      # p99 below it: the rate is sustained
SHARES = (0.25, 0.5, 0.75)
HICCUP_MS = 10          # a run counts if p99.9 of the hiccups is below ...
BUSY = 0.7              # ... and the machine was no busier
DRAIN_WINDOW_S, DRAIN_AHEAD_S, DRAIN_S = 120, 3, 30   # of features "drain"
PAST_MS = 600_000       # the first records are that old
WANTED = {"p50": 8, "p99": 20, "p999": 50}      # at half load


def busy_and_total():
    fields = [int(word) for word in open("/proc/stat", encoding="ascii").readline().split()[1:]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def load_for(stage, topic, rate, seconds):
    """One open-loop run; every click of it counts as a record of the topic."""
    before = busy_and_total()
    found = json.loads(run(BIN / "tests" / "bench_latency", stage.kafka.bootstrap, topic.name,
                           topic.workload.partitions, rate, seconds, topic.workload.users,
                           stage.redis.port))
    after = busy_and_total()
    topic.records += int(found["sent"])
    found["busy"] = (after[0] - before[0]) / (after[1] - before[1])
    if found["lost"]:
        raise Wrong(f"{found['lost']} probes were never seen in Redis")
    return found


def sustainable(stage, topic, daemon, options):
    """The greatest rate of a ramp at which values are still fresh."""
    rate, best = FIRST_RATE, None
    while True:
        found = load_for(stage, topic, rate, RAMP_S)
        daemon.settle(topic.records)
        options.say(f"ramp: {rate:.0f}/s p99 {found['p99']:.0f} ms, sender "
                    f"{found['sender_behind']:.0f} ms behind")
        if found["p99"] > SUSTAINED_MS or found["sender_behind"] > SUSTAINED_MS:
            return best or rate
        best, rate = rate, int(rate * STEPS)


def discarded(found):
    """Why a run does not count; None if it does."""
    if found["hiccup_p999"] >= HICCUP_MS:
        return f"hiccups of {found['hiccup_p999']:.0f} ms"
    return f"{found['busy']:.0%} busy" if found["busy"] > BUSY else None


def overload(stage, topic, daemon, rate):
    """More than it can do; then how long until it has caught up, and in how much memory."""
    before = memory_mb(daemon.process.pid)
    found = load_for(stage, topic, int(rate * 1.2), OVERLOAD_S)
    began = time.monotonic()
    daemon.settle(topic.records)
    return {**found, "caught_up_s": time.monotonic() - began, "rss_before_mb": before,
            "rss_after_mb": memory_mb(daemon.process.pid)}


def latency(stage, load, options):
    """Rounds of a quarter, half and three quarters of the sustainable rate, then overload."""
    topic = Topic(stage, load, load.name)
    stage.redis_cli("FLUSHALL")
    topic.end_ms = int(time.time() * 1000) - PAST_MS    # the clicks to come are of now
    topic.grow(load.fill)
    rounds = {share: [] for share in SHARES}
    with Daemon(stage, topic, stage.directory / load.name) as daemon:
        daemon.settle(topic.records)
        rate = sustainable(stage, topic, daemon, options)
        for k in range(options.pairs):
            for share in SHARES:
                found = load_for(stage, topic, int(rate * share), LOAD_S)
                found["discarded"] = discarded(found)
                rounds[share].append(found)
                options.say(f"{load.name} {k + 1}/{options.pairs}: {share:.0%} of {rate}/s: p50 "
                            f"{found['p50']:.1f}, p99 {found['p99']:.1f}, p99.9 "
                            f"{found['p999']:.1f} ms, hiccups {found['hiccup_p999']:.1f} ms, "
                            f"{found['busy']:.0%} busy" +
                            (f": DISCARDED, {found['discarded']}" if found["discarded"] else ""))
        beyond = overload(stage, topic, daemon, rate)
        checked = daemon.verify()
    counted = {f"{share:.0%}": [run for run in runs if not run["discarded"]] or None
               for share, runs in rounds.items()}
    return {"rate": rate, "overload": beyond, "check": checked, "wanted": WANTED,
            "rounds": {f"{share:.0%}": runs for share, runs in rounds.items()},
            "latency": {share: runs and {key: statistics.median(run[key] for run in runs)
                                         for key in ("p50", "p99", "p999", "hiccup_p999", "busy")}
                        for share, runs in counted.items()}}


def watch_decay(daemon, until, seen):
    """Notes the time and the number of decay rows written whenever it has grown."""
    while not until.wait(0.2):
        rows = int(daemon.info().get("decay_rows", 0))
        if not seen or rows > seen[-1][1]:
            seen.append((time.monotonic(), rows))


def drain(stage, load, options):
    """Every key has an event in one pane; clicks go on while that pane leaves the window of all."""
    topic = Topic(stage, load, load.name)
    stage.redis_cli("FLUSHALL")
    topic.end_ms = int(time.time() * 1000)
    topic.grow(load.fill)
    with Daemon(stage, topic, stage.directory / load.name) as daemon:
        keys = int(daemon.settle(topic.records)["keys"])
        wait_s = topic.end_ms / 1000 + DRAIN_WINDOW_S - DRAIN_AHEAD_S - time.time()
        if wait_s < 0:
            raise Wrong(f"filling took {-wait_s:.0f} s too long: the pane has left the window")
        options.say(f"{load.name}: {keys} keys, waiting {wait_s:.0f} s for their pane to end")
        time.sleep(wait_s)
        until, seen = threading.Event(), []
        watcher = threading.Thread(target=watch_decay, args=(daemon, until, seen))
        watcher.start()
        try:
            found = load_for(stage, topic, load.rate, DRAIN_S)
        finally:
            until.set()
            watcher.join()
        rows = seen[-1][1] - seen[0][1]
        if rows < keys / 2:
            raise Wrong(f"only {rows} rows of decay for {keys} keys: the pane was not seen to end")
        return {"keys": keys, "check": daemon.verify(), "drain": {
            **found, "rows": rows, "seconds": seen[-1][0] - seen[1][0],
            "discarded": discarded(found)}}
