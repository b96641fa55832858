"""How each kind of workload is measured. A function takes the stage, the row and the options, and
returns a dictionary: what the table and the JSON show. Pairs are interleaved: A B B A A B ...
"""
import json
import statistics
import time

from latency import drain, latency
from recovery import restart
from stage import BIN, Daemon, Topic, Wrong, cpu_s, memory_mb, rows_digest, run, run_part
from workloads import PARTS, features_text

LEVELS = ("drop", "touch", "decode", "table", "encode", "redis")
CALLS = ("drop", "drop-poll", "drop-batch")
PART_ROUNDS = 200               # of 4096 operations
CHECKPOINT_INTERVAL_S = 30      # the default


def median_of(rows, key):
    return statistics.median(row[key] for row in rows)


def redis_bytes(stage):
    info = stage.redis_cli("INFO", "memory").splitlines()
    return int(next(line for line in info if line.startswith("used_memory:"))[12:])


def cheapest_call(topic):
    """B0 is the cheapest of the ways to take messages."""
    return min(CALLS, key=lambda call: topic.floor(call)["ns"])


def check_rows(stage, topic, daemon):
    """The digest of all rows where a naive table can tell it, else a recomputation of a sample."""
    load = topic.workload
    if load.features == "session" and not load.out_of_order and not load.late and \
            load.settings.get("redis.layout", "hash") == "hash":
        nowhere = [0] * load.partitions
        wanted = stage.bounds("table", topic.name, nowhere, nowhere)
        found = rows_digest(stage)
        if (wanted["keys"], wanted["digest"]) != found:
            raise Wrong(f"rows in Redis {found}, wanted {wanted}")
        return f"all rows {found[1][-8:]}"
    return daemon.verify()


def measured(stage, topic, daemon, start):
    """What it costs the daemon to be through with the records that start() gives it. A checkpoint
    follows, of which they bear as much as the time they took is of checkpoint.interval: so each
    pair has its part, and not one in a few."""
    before = daemon.info()
    cpu, redis_cpu, began = cpu_s(daemon.process.pid), cpu_s(stage.redis.pid), time.monotonic()
    start()
    after = daemon.settle(topic.records)
    wall = time.monotonic() - began
    cpu, redis_cpu = cpu_s(daemon.process.pid) - cpu, cpu_s(stage.redis.pid) - redis_cpu
    checkpoint = cpu_s(daemon.process.pid)
    if daemon.ask("CHECKPOINT").strip() != "OK":
        raise Wrong("the checkpoint failed")
    checkpoint = cpu_s(daemon.process.pid) - checkpoint
    grown = {key: int(after[key]) - int(before[key])
             for key in ("consumed", "event_rows", "decay_rows")}
    rows = grown["event_rows"] + grown["decay_rows"]
    share = checkpoint * wall / CHECKPOINT_INTERVAL_S
    return {"ns": (cpu + share) * 1e9 / grown["consumed"],
            "checkpoint_ns": share * 1e9 / grown["consumed"], "checkpoint_s": checkpoint,
            "C": grown["consumed"] / grown["event_rows"],
            "decay_per_event": grown["decay_rows"] / grown["consumed"],
            "redis_us_per_row": redis_cpu * 1e6 / rows, "rows": rows, "wall_s": wall,
            "redis_us_per_event": redis_cpu * 1e6 / grown["consumed"]}


def live_pair(stage, topic, daemon):
    """Both read the same records at the same time, as they are made."""
    load = topic.workload
    with stage.live_floor(topic, load.events) as floor:
        ours = measured(stage, topic, daemon, lambda: topic.grow(load.events, load.rate))
    return floor, ours


def batch_pair(stage, topic, daemon, call, number):
    """One after the other, in turn the first, on a batch that is there."""
    daemon.ask("PAUSE")
    topic.grow(topic.workload.events)
    floor = topic.floor(call) if number % 2 == 0 else None
    ours = measured(stage, topic, daemon, lambda: daemon.ask("RESUME"))
    return floor or topic.floor(call), ours


def stream(stage, load, options):
    """freshetd in a steady state, batch after batch, beside B0 on the same batch."""
    topic = Topic(stage, load, load.name)
    stage.redis_cli("FLUSHALL")
    empty = redis_bytes(stage)
    pairs = []
    topic.grow(load.fill)
    with Daemon(stage, topic, stage.directory / load.name) as daemon:
        daemon.settle(topic.records)
        call = cheapest_call(topic)
        for k in range(options.pairs):
            floor, ours = live_pair(stage, topic, daemon) if load.rate else \
                batch_pair(stage, topic, daemon, call, k)
            pairs.append({**ours, "floor_ns": floor["ns"], "ratio": ours["ns"] / floor["ns"]})
            options.say(f"{load.name} {k + 1}/{options.pairs}: B0 {floor['ns']:.0f} ns, freshetd "
                        f"{ours['ns']:.0f}, ratio {pairs[-1]['ratio']:.2f}, C {ours['C']:.2f}")
        checked = check_rows(stage, topic, daemon)
        state = daemon.info()
        rss, peak = (memory_mb(daemon.process.pid, what) for what in ("VmRSS", "VmHWM"))
    return {"pairs": pairs, "call": call, "check": checked, "keys": int(state["keys"]),
            "redis_bytes_per_key": (redis_bytes(stage) - empty) / int(state["keys"]),
            "bytes_per_event": floor["bytes"] / floor["messages"], "rss_mb": rss, "peak_mb": peak,
            "fates": {key[5:]: int(value) for key, value in state.items()
                      if key.startswith("fate_") and value != "0"},
            **{key: median_of(pairs, key) for key in
               ("ns", "floor_ns", "ratio", "C", "decay_per_event", "redis_us_per_row",
                "redis_us_per_event", "checkpoint_ns", "checkpoint_s")}}


def bounds(stage, load, options):
    """B0 to B5 in turn, round after round; the table's digest must be that of Redis' rows."""
    topic = Topic(stage, load, load.name)
    topic.grow(load.fill)
    topic.grow(load.events)
    call = cheapest_call(topic)
    pairs = []
    for k in range(options.pairs):
        stage.redis_cli("FLUSHALL")
        before, found = 0.0, {}
        for level in LEVELS:
            before = cpu_s(stage.redis.pid)
            found[level] = topic.floor(call if level == "drop" else level)
        redis_us = (cpu_s(stage.redis.pid) - before) * 1e6 / (load.fill + load.events)
        if rows_digest(stage) != (found["table"]["keys"], found["table"]["digest"]):
            raise Wrong("B5: rows in Redis are not those of the table")
        floor = found["drop"]["ns"]
        pairs.append({"ns": found["redis"]["ns"], "floor_ns": floor, "redis_us_per_row": redis_us,
                      "ratio": found["redis"]["ns"] / floor,
                      **{f"{level}_ratio": found[level]["ns"] / floor for level in LEVELS}})
        options.say(f"{load.name} {k + 1}/{options.pairs}: " + ", ".join(
            f"{level} {found[level]['ns']:.0f}" for level in LEVELS))
    digest = f"all rows {found['table']['digest'][-8:]}"
    return {"pairs": pairs, "call": call, "check": digest, "keys": found["table"]["keys"], "C": 1,
            **{key: median_of(pairs, key) for key in
               ("ns", "floor_ns", "ratio", "redis_us_per_row")},
            "levels": {level: median_of(pairs, f"{level}_ratio") for level in LEVELS}}


def backlog(stage, load, options):
    """A daemon without state reads a long log; Redis is written per key, not per event."""
    topic = Topic(stage, load, load.name)
    topic.grow(load.events)
    topic.start = topic.middle      # B0 is warmed up by the same records
    call = cheapest_call(topic)
    pairs = []
    for k in range(options.pairs):
        stage.redis_cli("FLUSHALL")
        floor = topic.floor(call)
        redis_cpu, began = cpu_s(stage.redis.pid), time.monotonic()
        with Daemon(stage, topic, stage.directory / load.name) as daemon:
            state = daemon.settle(topic.records)
            wall, cpu = time.monotonic() - began, cpu_s(daemon.process.pid)
            redis_cpu = cpu_s(stage.redis.pid) - redis_cpu
            checked = check_rows(stage, topic, daemon)
            rss, peak = (memory_mb(daemon.process.pid, what) for what in ("VmRSS", "VmHWM"))
        keys, rows = int(state["keys"]), int(state["redis_rows_written"])
        ns = cpu * 1e9 / topic.records
        pairs.append({"ns": ns, "floor_ns": floor["ns"], "ratio": ns / floor["ns"],
                      "C": topic.records / rows, "rows_per_key": rows / keys,
                      "events_per_s": topic.records / wall,
                      "redis_us_per_row": redis_cpu * 1e6 / rows})
        options.say(f"{load.name} {k + 1}/{options.pairs}: B0 {floor['ns']:.0f} ns, freshetd "
                    f"{ns:.0f}, {topic.records / wall:.0f} events/s, {rows / keys:.2f} rows a key")
    return {"pairs": pairs, "call": call, "check": checked, "keys": keys, "rss_mb": rss,
            "peak_mb": peak, **{key: median_of(pairs, key) for key in pairs[0]}}


def run_state(load, directory):
    """What an event and a row cost the core when no cache holds the state of all users."""
    path = directory / "features.ini"
    path.write_text(features_text(load.features))
    found = json.loads(run(BIN / "tests" / "bench_state", path, load.users, 2, load.users // 3))
    return {f"{step} uncached": {"ns": found[f"{step}_ns"], "digest": found["rows"]}
            for step in ("apply", "row", "acknowledge")}


def parts(stage, load, options):
    """Each part in turn beside B0, round after round."""
    topic = Topic(stage, load, load.name)
    topic.grow(load.fill)
    topic.grow(load.events)
    call = cheapest_call(topic)
    pairs, digests = [], set()
    for k in range(options.pairs):
        floor = topic.floor(call)["ns"]
        found = {name: run_part(name, PART_ROUNDS, stage.directory) for name in PARTS}
        found |= run_state(load, stage.directory)
        digests.add(tuple(part["digest"] for part in found.values()))
        pairs.append({"floor_ns": floor, **{f"{name}_ns": part["ns"]
                                            for name, part in found.items()},
                      **{f"{name}_ratio": part["ns"] / floor for name, part in found.items()}})
        options.say(f"{load.name} {k + 1}/{options.pairs}: B0 {floor:.0f}, " + ", ".join(
            f"{name} {part['ns']:.0f}" for name, part in found.items()))
    if len(digests) != 1:
        raise Wrong("the same part gave different answers")
    return {"pairs": pairs, "call": call, "check": "the same answers",
            "floor_ns": median_of(pairs, "floor_ns"),
            "levels": {name: median_of(pairs, f"{name}_ratio") for name in found}}


def memory(stage, load, options):
    """Growth of the resident set, the median over four numbers of keys; the key's own bytes, nine
    here, come on top of the target."""
    path = stage.directory / "features.ini"
    path.write_text(features_text(load.features))
    keys = [int(load.users * factor) for factor in (1, 1.25, 1.5, 1.75)]
    sizes = json.loads(run(BIN / "tests" / "bench_memory", path, *keys))["sizes"]
    return {"sizes": sizes, "keys": keys[-1], "check": "each session is live",
            **{f"{key}_per_key": median_of(sizes, key) for key in ("bytes", "peak", "state")}}


KINDS = {function.__name__: function
         for function in (stream, bounds, backlog, parts, memory, latency, drain, restart)}
