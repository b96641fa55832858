"""The same job by others: `tests/bench/run peers [NAME...]`.

Each reads the same topic from its beginning, keeps for each user the session's events, value and
last item (gap 30 min), writes rows into an empty Redis, and ends after the given number of events.
CPU is that of the whole process, its start and (in Java) its compilers included, and so is
freshetd's here. All rows are compared with those of a naive table. Programs are in peers/; each is
in the variant that is best for it, and is built when it is first asked for.

Peers that write a row for several events are beside freshetd on the same long log, in which its
rows coalesce as well. Peers that write every event are beside freshetd on records of the same kind
that are made while it reads them, at a rate that Redis follows: C is nearly 1, although a record of
a slow topic costs more CPU than one of a long log.
"""
import hashlib
import os
import statistics
import subprocess
import time
from dataclasses import dataclass, replace
from typing import Callable

import stage
from kinds import cheapest_call, cpu_s
from stage import TREE, Daemon, Topic, Wrong, rows_digest
from workloads import Workload

HERE = TREE / "tests" / "bench" / "peers"
SCHEMA = TREE / "schemas" / "click.avsc"
LIVE_RATE, LIVE_EVENTS = 50_000, 1_000_000
# Where every event is written all users are alike; hot users are where coalescing pays.
EVERY = Workload("every", "", users=1_000_000, fill=0, events=5_000_000, span_s=6 * 3600)
COALESCED = replace(EVERY, name="coalesced", zipf=0.99)


def build_c():
    stage.run(TREE / "tests" / "install-packages", "build", "peers")
    stage.run("cmake", TREE, "-B", stage.BIN)
    stage.run("cmake", "--build", stage.BIN, "--target", "peer_c")
    return [stage.BIN / "tests" / "peer_c"]


def build_go():
    out = stage.TREE / "build" / "bench" / "peer_go"
    stage.run("go", "build", "-o", out, ".", cwd=HERE / "go")
    return [out]


def build_java(name, program):
    """The jars of a peer's pom.xml and its classes, made once for the same sources."""
    sources = [*sorted((HERE / "java").glob("*.java")), HERE / name / f"{program}.java"]
    pom = HERE / name / "pom.xml"
    print_of = hashlib.sha256(b"".join(path.read_bytes() for path in [pom, *sources]))

    def fill(where):
        stage.services.maven(where, "-f", pom, "dependency:copy-dependencies",
                             f"-DoutputDirectory={where}")
        stage.run("javac", "-cp", f"{where}/*", "-d", where / "classes", *sources)
    where = stage.services.cached(f"peer-{name}-{print_of.hexdigest()[:12]}", fill)
    # What Flink asks for on Java 17.
    opened = [f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("lang", "util")]
    return ["java", *opened, "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", f"{where}/*:{where}/classes", program]


@dataclass(frozen=True)
class Peer:
    """A program of peers/: build() returns the command, without the arguments that all have."""

    name: str
    sentence: str
    build: Callable
    every_event: bool       # else a row is written for several


PEERS = [
    Peer("c", "librdkafka, avro-c, uthash and hiredis, as their manuals show", build_c, True),
    Peer("go", "franz-go, hamba/avro, a map, pipelines of go-redis", build_go, True),
    Peer("streams", "Kafka Streams: a cached table in memory with hand-made sessions",
         lambda: build_java("streams", "StreamsPeer"), False),
    Peer("flink", "Flink: state on the heap, a local cluster in one process",
         lambda: build_java("flink", "FlinkPeer"), True),
]


def run_peer(servers, topic, command):
    """Returns what a run cost; the child is waited for by itself, so that its usage is known."""
    redis_cpu, began = cpu_s(servers.redis.pid), time.monotonic()
    words = [*command, servers.kafka.bootstrap, topic.name, topic.workload.partitions,
             topic.records, servers.redis.port, SCHEMA]
    with open(servers.directory / "peer.log", "w+", encoding="utf-8") as log:
        child = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            log.seek(0)
            raise Wrong(f"status {child.returncode}: {log.read()[-2000:]}")
    cpu = used.ru_utime + used.ru_stime
    return {"ns": cpu * 1e9 / topic.records, "rss_mb": used.ru_maxrss / 1024,
            "wall_s": time.monotonic() - began,
            "redis_us": (cpu_s(servers.redis.pid) - redis_cpu) * 1e6 / topic.records}


def seed_own_hashes(servers, topic):
    """Redis has heard of the shards, but of no row: freshetd writes at once, as the others do."""
    for partition in range(topic.workload.partitions):
        servers.redis_cli("HSET", f"freshet:{{bench:{topic.name}:{partition}}}:own",
                          "t", "none", "hw", -1, "as", 0, "seq", 1, "rs", 0)


def run_freshetd(servers, topic, start=lambda: None):
    """start() may make the records while freshetd waits for them."""
    seed_own_hashes(servers, topic)
    redis_cpu, began = cpu_s(servers.redis.pid), time.monotonic()
    with Daemon(servers, topic, servers.directory / "freshetd") as daemon:
        start()
        state = daemon.settle(topic.records)
        cpu = cpu_s(daemon.process.pid)
        return {"ns": cpu * 1e9 / topic.records, "C": topic.records / int(state["event_rows"]),
                "rss_mb": stage.memory_mb(daemon.process.pid, "VmHWM"),
                "wall_s": time.monotonic() - began,
                "redis_us": (cpu_s(servers.redis.pid) - redis_cpu) * 1e6 / topic.records}


def check(servers, topic):
    """All rows are those of a naive table over the topic; returns its keys and digest."""
    nowhere = [0] * topic.workload.partitions
    wanted = servers.bounds("table", topic.name, nowhere, nowhere)
    wanted, found = (wanted["keys"], wanted["digest"]), rows_digest(servers)
    if found != wanted:
        raise Wrong(f"rows {found}, wanted {wanted}")
    return wanted


def run_live(servers, like):
    """freshetd on records of the same kind as they are made: no time for rows to coalesce."""
    events = min(LIVE_EVENTS, like.records)
    load = replace(like.workload, settings={"redis.flush_interval": "1ms"})
    topic = Topic(servers, load, f"live-{time.monotonic_ns()}")
    topic.generate(0, 0, 1)     # the topic is there
    found = run_freshetd(servers, topic, lambda: topic.grow(events, LIVE_RATE))
    check(servers, topic)
    return found


def measure_group(servers, load, run_ours, chosen, options):
    """Rounds of B0, freshetd and each peer, in turn."""
    topic = Topic(servers, options.scaled(load), load.name)
    topic.grow(topic.workload.events)
    topic.start = topic.middle      # B0 is warmed up by the same records
    call = cheapest_call(topic)
    commands = {peer.name: peer.build() for peer in chosen}
    rounds = {f"freshetd-{load.name}": [], **{peer.name: [] for peer in chosen}}
    for k in range(options.pairs):
        floor, ours = topic.floor(call)["ns"], None
        for name, runs in rounds.items():
            servers.redis_cli("FLUSHALL")
            if name in commands:
                found = run_peer(servers, topic, commands[name])
                keys, digest = check(servers, topic)
            else:
                found = run_ours(servers, topic)
                ours = found["ns"]
            runs.append({**found, "floor_ns": floor, "ratio": found["ns"] / floor,
                         "times_freshetd": found["ns"] / ours})
            options.say(f"peers {k + 1}/{options.pairs}: {name} {found['ns']:.0f} ns, "
                        f"{found['ns'] / floor:.1f} x B0, {found['ns'] / ours:.2f} x freshetd, "
                        f"{found['wall_s']:.0f} s, {found['rss_mb']:.0f} MB")
    return [{"name": name, "pairs": runs, "keys": keys, "check": f"all rows {digest[-8:]}",
             **{key: statistics.median(run[key] for run in runs) for key in runs[0]}}
            for name, runs in rounds.items()]


def measure(servers, chosen, options):
    """freshetd and the peers that write every event, then those that coalesce."""
    results = []
    for load, run_ours in ((EVERY, run_live), (COALESCED, run_freshetd)):
        group = [peer for peer in chosen if peer.every_event == (load is EVERY)]
        if group:
            results += measure_group(servers, load, run_ours, group, options)
    return results
