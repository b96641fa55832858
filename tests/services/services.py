#!/usr/bin/env python3
"""Starts and stops the real servers of tests and quickstart: Kafka, Redis, the schema registry.

As a module (standard library only):

    kafka = Kafka(directory)          # brokers=3 for a cluster; port=P to fix the first port
    kafka.start(); kafka.bootstrap    # "127.0.0.1:25123"
    kafka.stop()                      # SIGTERM, a clean shutdown
    kafka.start()                     # the same ports, the same data
    kafka.kill(); kafka.freeze(); kafka.thaw()
    redis = Redis(directory, "--maxmemory", "2mb"); redis.start(); redis.port; redis.socket
    registry = Registry(directory); registry.start(); registry.url

As a program:

    services.py kafka|redis|registry start --dir DIR [--port P] [--brokers N]   # prints the address
    services.py kafka|redis|registry stop --dir DIR
    services.py kafka|redis|registry run --dir DIR [--port P]   # in front, until SIGTERM or SIGINT
    services.py kafka|registry fetch                            # only downloads

Everything listens on loopback only. A server started from Python dies with the thread that
started it, whatever ends that thread (`setpriv --pdeathsig`); one started by `start` lives until
`stop`, which knows it by pid and start time, so that a stranger's process is never hit.
"""
import argparse
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("FRESHET_CACHE") or TREE / ".cache")
KAFKA_VERSION = "4.1.0"          # as in kafka/pom.xml
REGISTRY_VERSION = "2.6.13.Final"
START_SECONDS = 90               # a busy machine takes ten times the usual three seconds
STOP_SECONDS = 30
PORTS = range(20000, 32000)      # below the ephemeral range: nobody else is given one by chance


class ServiceError(Exception):
    """A server did not start; the message has the end of its log."""


def free_ports(count):
    """Returns `count` loopback ports that are free now."""
    held, ports = [], []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            port = random.SystemRandom().choice(PORTS)
            candidate = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                candidate.bind(("127.0.0.1", port))
                held.append(candidate)
                ports.append(port)
    return ports


def start_time(pid):
    """Returns the kernel's start time of a live process: with the pid it names it for good."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


class Server:
    """One process with a directory, a log and a port, which can be ended and started again."""

    name = "server"

    def __init__(self, directory, port=None):
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / f"{self.name}.log"
        self.port = port or free_ports(1)[0]
        self.process = None
        self.pid = None

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """Makes what the first start needs; called before each start."""

    def ready(self):
        """Says whether the server answers; may raise OSError."""
        raise NotImplementedError

    def start(self, detached=False):
        """Starts the server and waits until it answers."""
        self.launch(detached)
        return self.wait_ready()

    def launch(self, detached=False):
        """Starts the process; a detached one outlives us."""
        self.prepare()
        command = [str(word) for word in self.command()]
        if not detached:
            command = ["setpriv", "--pdeathsig", "KILL", "--"] + command
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.pid = self.process.pid

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                raise ServiceError(f"{self.name} ended while starting\n{self.log_end()}")
            with contextlib.suppress(OSError):
                if self.ready():
                    return self
            if time.monotonic() > deadline:
                self.kill()
                raise ServiceError(f"{self.name} is not ready after {START_SECONDS} s\n"
                                   f"{self.log_end()}")
            time.sleep(0.05)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_end(self):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-30:])

    def stop(self):
        """Ends it as an operator would (SIGTERM), by force if that takes too long."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        """Ends it at once (SIGKILL)."""
        if self.running():
            self.process.kill()
            self.process.wait()

    def freeze(self):
        """Stops it where it stands (SIGSTOP): connections stay open, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class Broker(Server):
    """One Kafka node, broker and controller in one."""

    name = "kafka"

    def __init__(self, directory, node, port, controllers, cluster_id, options):
        super().__init__(directory, port)
        self.node = node
        self.controllers = controllers
        self.cluster_id = cluster_id
        self.options = options

    def properties(self):
        count = len(self.controllers)
        copies = min(count, 3)
        voters = ",".join(f"{n + 1}@127.0.0.1:{p}" for n, p in enumerate(self.controllers))
        controller = self.controllers[self.node - 1]
        settings = {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.directory / "data",
            "log.retention.ms": -1,
            "default.replication.factor": copies,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "auto.create.topics.enable": "false",
        }
        settings.update(self.options)
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    def java(self, *words):
        libs = kafka_libs()
        return ["java", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{libs}/*", *words]

    def prepare(self):
        config = self.directory / "server.properties"
        config.write_text(self.properties())
        if (self.directory / "data" / "meta.properties").exists():
            return
        command = self.java("kafka.tools.StorageTool", "format", "-t", self.cluster_id,
                            "-c", str(config))
        done = subprocess.run(command, cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServiceError(f"kafka storage format failed\n{done.stdout}{done.stderr}")

    def command(self):
        java = self.java("kafka.Kafka", "server.properties")
        return [java[0], "-Xms256m", "-Xmx1g"] + java[1:]

    def ready(self):
        # ApiVersions, version 0, correlation 7, no client id: answered as soon as requests are.
        request = struct.pack(">hhih", 18, 0, 7, -1)
        with socket.create_connection(("127.0.0.1", self.port), 2) as peer:
            peer.sendall(struct.pack(">i", len(request)) + request)
            answer = peer.recv(10)
        return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (7, 0)


class Kafka:
    """A Kafka cluster; what is done to it is done to each of `brokers`."""

    def __init__(self, directory, brokers=1, port=None, **options):
        """`options` are broker properties with _ for a dot."""
        ports = free_ports(2 * brokers)
        cluster_id = "f" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        options = {key.replace("_", "."): value for key, value in options.items()}
        self.brokers = []
        for node in range(1, brokers + 1):
            listen = port if port and node == 1 else ports[brokers + node - 1]
            where = Path(directory) if brokers == 1 else Path(directory) / f"broker{node}"
            self.brokers.append(
                Broker(where, node, listen, ports[:brokers], cluster_id, options))
        self.bootstrap = ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    def start(self, detached=False):
        for broker in self.brokers:     # none is ready before a majority runs
            broker.launch(detached)
        for broker in self.brokers:
            broker.wait_ready()
        return self

    def stop(self):
        for broker in reversed(self.brokers):
            broker.stop()

    def kill(self):
        for broker in self.brokers:
            broker.kill()

    def freeze(self):
        for broker in self.brokers:
            broker.freeze()

    def thaw(self):
        for broker in self.brokers:
            broker.thaw()

    def running(self):
        return all(broker.running() for broker in self.brokers)


class Redis(Server):
    """A redis-server that keeps nothing unless told to; `options` as on its command line."""

    name = "redis"

    def __init__(self, directory, *options, port=None):
        super().__init__(directory, port)
        self.options = list(options)
        self.socket = self.directory / "redis.sock"

    def command(self):
        # Options come later and win over ours.
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1",
                "--unixsocket", self.socket, "--unixsocketperm", "700", "--dir", self.directory,
                "--save", "", "--appendonly", "no", "--daemonize", "no", *self.options]

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), 2) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(64).startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))


class Registry(Server):
    """Apicurio with its Confluent API; it keeps schemas in memory, a restart forgets them."""

    name = "registry"

    def __init__(self, directory, port=None):
        super().__init__(directory, port)
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def command(self):
        runner = f"apicurio-registry-app-{REGISTRY_VERSION}-runner.jar"
        return ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}",
                "-Dregistry.ccompat.use-canonical-hash=true", "-jar", registry_app() / runner]

    def ready(self):
        with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:
            return answer.status == 200


def wait_until(test, seconds, what):
    """Calls `test` until it is true; an OSError counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if test():
                return
        time.sleep(0.05)
    raise ServiceError(f"{what} ({seconds} s)")


def maven(where, *words):
    """Runs Maven with a local repository that is thrown away; three tries, as networks are."""
    repository = where / "repository"
    command = ["mvn", "-q", "-B", f"-Dmaven.repo.local={repository}", *words]
    for left in (2, 1, 0):
        done = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        if done.returncode == 0:
            break
        if left == 0:
            raise ServiceError(f"maven failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        time.sleep(2)
    shutil.rmtree(repository)


def cached(name, fill):
    """Returns the directory CACHE/name, filled once by fill(directory)."""
    final = CACHE / name
    if not final.is_dir():
        partial = CACHE / f"{name}.part.{os.getpid()}"
        partial.mkdir(parents=True)
        print(f"downloading {name} ...", file=sys.stderr, flush=True)
        try:
            fill(partial)
            with contextlib.suppress(OSError):   # another process was first: its copy is as good
                partial.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return final


def kafka_libs():
    """Returns the directory with the broker's jars, downloaded when they are not there."""
    pom = Path(__file__).resolve().parent / "kafka" / "pom.xml"
    return cached(f"kafka-{KAFKA_VERSION}", lambda where: maven(
        where, "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={where}"))


def registry_app():
    """Returns the directory with the registry, downloaded when it is not there."""
    artifact = f"io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all"

    def fill(where):
        maven(where, "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
              f"-Dartifact={artifact}", f"-DoutputDirectory={where}")
        archive = where / f"apicurio-registry-app-{REGISTRY_VERSION}-all.tar.gz"
        subprocess.run(["tar", "xzf", archive, "-C", where], check=True)
        archive.unlink()
    return cached(f"apicurio-{REGISTRY_VERSION}", fill)


def make(kind, directory, port, brokers):
    if kind == "kafka":
        return Kafka(directory, brokers=brokers, port=port)
    return (Redis if kind == "redis" else Registry)(directory, port=port)


def address(server):
    if isinstance(server, Kafka):
        return server.bootstrap
    return server.url if isinstance(server, Registry) else f"redis://127.0.0.1:{server.port}/0"


def start_detached(server, directory):
    server.start(detached=True)
    processes = getattr(server, "brokers", [server])
    state = [[process.pid, start_time(process.pid)] for process in processes]
    (Path(directory) / "processes.json").write_text(json.dumps(state))


def stop_detached(directory):
    """Ends what start_detached started in this directory."""
    state = Path(directory) / "processes.json"
    if not state.exists():
        return
    processes = json.loads(state.read_text())
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
        alive = [pid for pid, began in processes if start_time(pid) == began]
        for pid in alive:
            os.kill(pid, number)
        with contextlib.suppress(ServiceError):
            wait_until(lambda: not any(start_time(pid) == began for pid, began in processes),
                       seconds, "still running")
    state.unlink()


def run_in_front(server):
    """Runs a server until a signal comes or our parent is gone."""
    parent = os.getppid()
    ended = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.append(True))
    try:
        server.start()
        print(address(server), flush=True)
        while not ended and server.running() and os.getppid() == parent:
            time.sleep(0.2)
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description="Servers for freshet's tests.")
    parser.add_argument("kind", choices=("kafka", "redis", "registry"))
    parser.add_argument("action", choices=("start", "stop", "run", "fetch"))
    parser.add_argument("--dir", help="the server's own directory: data, log, processes.json")
    parser.add_argument("--port", type=int, help="the first port; a free one if not given")
    parser.add_argument("--brokers", type=int, default=1, help="Kafka nodes")
    args = parser.parse_args()
    if args.action == "fetch":
        {"kafka": kafka_libs, "registry": registry_app}.get(args.kind, lambda: None)()
        return
    if not args.dir:
        parser.error("--dir is needed")
    if args.action == "stop":
        stop_detached(args.dir)
        return
    server = make(args.kind, args.dir, args.port, args.brokers)
    if args.action == "run":
        run_in_front(server)
    else:
        start_detached(server, args.dir)
        print(address(server))


if __name__ == "__main__":
    try:
        main()
    except ServiceError as error:
        sys.exit(f"services.py: {error}")
