"""The same job by others: `tests/bench/run peers [NAME...]`.

Each reads the same topic from its beginning, keeps for each user the session's events, value and
last item (gap 30 min), writes rows into an empty Redis, and ends after the given number of events.
CPU is that of the whole process, its start and (in Java) its compilers included, and so is
freshetd's here. All rows are compared with those of a naive table. Programs are in peers/; each is
in the variant that is best for it, and is built when it is first asked for.
"""
import hashlib
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Callable

import stage
from kinds import cheapest_call, cpu_s
from stage import TREE, Daemon, Topic, Wrong, rows_digest
from workloads import Workload

HERE = TREE / "tests" / "bench" / "peers"
SCHEMA = TREE / "schemas" / "click.avsc"
LOAD = Workload("peers", "The topic of the comparison.", zipf=0.99, users=1_000_000, fill=0,
                events=5_000_000, span_s=6 * 3600)


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


def run_freshetd(servers, topic):
    seed_own_hashes(servers, topic)
    redis_cpu, began = cpu_s(servers.redis.pid), time.monotonic()
    with Daemon(servers, topic, servers.directory / "freshetd") as daemon:
        state = daemon.settle(topic.records)
        cpu = cpu_s(daemon.process.pid)
        return {"ns": cpu * 1e9 / topic.records, "C": topic.records / int(state["event_rows"]),
                "rss_mb": stage.memory_mb(daemon.process.pid, "VmHWM"),
                "wall_s": time.monotonic() - began,
                "redis_us": (cpu_s(servers.redis.pid) - redis_cpu) * 1e6 / topic.records}


def check(servers, wanted):
    found = rows_digest(servers)
    if found != (wanted["keys"], wanted["digest"]):
        raise Wrong(f"rows {found}, wanted {wanted['keys']}, {wanted['digest']}")


def measure(servers, chosen, options):
    """Rounds of B0, freshetd and each peer, in turn on the same topic."""
    topic = Topic(servers, options.scaled(LOAD), "peers")
    topic.grow(topic.workload.events)
    topic.start = topic.middle
    nowhere = [0] * topic.workload.partitions
    wanted = servers.bounds("table", topic.name, nowhere, nowhere)
    call = cheapest_call(topic)
    runs = {peer.name: (lambda command: lambda: run_peer(servers, topic, command))(peer.build())
            for peer in chosen}
    runs = {"freshetd": lambda: run_freshetd(servers, topic), **runs}
    rounds = {name: [] for name in runs}
    for k in range(options.pairs):
        floor = topic.floor(call)["ns"]
        for name, once in runs.items():
            servers.redis_cli("FLUSHALL")
            found = once()
            check(servers, wanted)
            ours = rounds["freshetd"][-1]["ns"] if name != "freshetd" else found["ns"]
            rounds[name].append({**found, "floor_ns": floor, "ratio": found["ns"] / floor,
                                 "times_freshetd": found["ns"] / ours})
            options.say(f"peers {k + 1}/{options.pairs}: {name} {found['ns']:.0f} ns, "
                        f"{found['ns'] / floor:.1f} x B0, {found['ns'] / ours:.2f} x freshetd, "
                        f"{found['wall_s']:.0f} s, {found['rss_mb']:.0f} MB")
    return [{"name": name, "pairs": pairs, "keys": wanted["keys"],
             "check": f"all rows {wanted['digest'][-8:]}",
             **{key: statistics.median(pair[key] for pair in pairs) for key in pairs[0]}}
            for name, pairs in rounds.items()]
