"""Drives the real daemon in tests: its configuration, its process, its input, what it wrote.

    topic = Topic(kafka.bootstrap, partitions=2)
    daemon = Freshetd(directory, topic, redis, {"session.gap": "10m"}).start()
    topic.click("ada", ts, "click", item_id="hat")
    daemon.wait_caught_up()
    row(redis, "ada")           # {"session_events": "1", ...}
    daemon.assert_equal()       # all of Redis equals the oracle's recomputation
    daemon.terminate()          # SIGTERM; checks status 0 and the sanitizers' silence
"""
import contextlib
import http.server
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
import zlib
from pathlib import Path

import confluent_kafka
import confluent_kafka.admin
import fastavro
import fastavro.schema
import redis as redis_client

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FRESHET_BIN_DIR") or TREE / "build" / "release")
SCHEMAS = TREE / "schemas"
READER = SCHEMAS / "click.avsc"
# Sanitizers slow the daemon down; every patience is multiplied.
PATIENCE = {"": 1, "asan": 4, "tsan": 10}[os.environ.get("FRESHET_SLOW_BUILD", "")]
REPORTS = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")
V2, V1 = 1, 2      # ids in FakeRegistry.standard()


def now_ms():
    return int(time.time() * 1000)


def wait_for(test, seconds=20, what="condition"):
    """Calls `test` until it gives something true and returns that."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        with contextlib.suppress(OSError, RespError):
            result = test()
            if result:
                return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds * PATIENCE} s: {what}")
        time.sleep(0.05)


class RespError(Exception):
    """An error reply."""


class Resp:
    """A small RESP2 client over a Unix socket."""

    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout * PATIENCE)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def command(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(words)]
        parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed by the daemon")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RespError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.stream.read(int(rest) + 2)[:-2].decode(errors="surrogateescape")
        if kind == b"*":
            return None if int(rest) < 0 else [self.reply() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP2: {line!r}")


class FakeRegistry:
    """A schema registry in the test's own process, with the Confluent API's one needed path."""

    def __init__(self):
        self.schemas = {}        # id -> schema text
        self.requests = []       # ids asked for
        self.fail_with = None    # an HTTP status for everything
        self.server = None
        self.port = 0
        self.open = set()        # connections, which outlive the listening socket

    @classmethod
    def standard(cls):
        """With the two writers of schemas/: ids V2 (the reader schema itself) and V1."""
        registry = cls()
        registry.schemas = {V2: READER.read_text(), V1: (SCHEMAS / "click-v1.avsc").read_text()}
        return registry.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/registry/api"

    def start(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers GET .../schemas/ids/N."""
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                registry.open.add(self.connection)

            def finish(self):
                registry.open.discard(self.connection)
                super().finish()

            def do_GET(self):
                found = re.match(r"/registry/api/schemas/ids/(\d+)(\?.*)?$", self.path)
                number = int(found.group(1)) if found else 0
                registry.requests.append(number)
                status, body = 404, {"error_code": 40403, "message": "Schema not found"}
                if self.path == "/registry/api/subjects":
                    status, body = 200, []
                if registry.fail_with:
                    status, body = registry.fail_with, {"error_code": 50001, "message": "sorry"}
                elif number in registry.schemas:
                    status, body = 200, {"schema": registry.schemas[number]}
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            """Can listen again on a port that was just closed."""
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            for connection in list(self.open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def parsed(schema):
    return fastavro.parse_schema(json.loads(Path(schema).read_text()))


def encode(schema, datum):
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, datum)
    return buffer.getvalue()


def confluent(schema_id, payload):
    return struct.pack(">bI", 0, schema_id) + payload


def single_object(schema, payload):
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    mark = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    return b"\xc3\x01" + mark + payload


class Writers:
    """Encodes an event of the reader schema's shape as one of the writers in schemas/ would."""

    def __init__(self):
        self.v2 = parsed(READER)
        self.v1 = parsed(SCHEMAS / "click-v1.avsc")

    def bare(self, event, writer="v2"):
        if writer == "v2":
            return encode(self.v2, event)
        old = {name: event[name] for name in ("event_id", "user_id", "event_type", "category",
                                              "price", "quantity", "country", "user_agent")}
        old.update(event_time=event["event_time"] * 1000, product_id=event["item_id"],
                   page={"url": event["page"]["url"]})
        return encode(self.v1, old)

    def framed(self, event, writer="v2"):
        return confluent(V2 if writer == "v2" else V1, self.bare(event, writer))


def click(user, ts, event_type="click", **fields):
    """An event with every field of the reader schema."""
    event = {"event_id": uuid.uuid4().hex[:12], "user_id": user, "event_time": ts,
             "event_type": event_type, "item_id": None, "category": None, "price": None,
             "quantity": 1, "currency": "EUR", "page": {"url": "/", "referrer": None},
             "device": "phone", "country": "NL", "position": -1, "user_agent": "", "props": {}}
    event.update(fields)
    return event


class Topic:
    """An input topic and its producer; a user's events go to one partition."""

    def __init__(self, bootstrap, partitions=2, name=None, replicas=1, **settings):
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.replicas = replicas
        self.name = name or f"clicks-{uuid.uuid4().hex[:8]}"
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
        self.producer = confluent_kafka.Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all",
             "message.timeout.ms": 120000})
        self.writers = Writers()
        self.errors = []
        if partitions:
            self.create(self.name, partitions, **settings)

    def create(self, name, partitions=1, **settings):
        config = {key.replace("_", "."): str(value) for key, value in settings.items()}
        new = confluent_kafka.admin.NewTopic(name, partitions, self.replicas, config=config)
        for future in self.admin.create_topics([new]).values():
            future.result(30)
        wait_for(lambda: name in self.admin.list_topics(timeout=10).topics, 30, f"topic {name}")

    def partition_of(self, key):
        return zlib.crc32(key.encode() if isinstance(key, str) else key) % self.partitions

    def raw(self, key, value, rts=None, partition=None, headers=None, topic=None):
        """Produces bytes; rts is the record time, the present if not given."""
        if partition is None:
            partition = self.partition_of(key)
        words = {} if headers is None else {"headers": headers}

        def delivered(error, _):
            if error:
                self.errors.append(error)
        while True:
            try:
                self.producer.produce(
                    topic or self.name, key=key, value=value, partition=partition,
                    timestamp=now_ms() if rts is None else rts, on_delivery=delivered, **words)
                break
            except BufferError:
                self.producer.poll(0.1)
        self.producer.poll(0)

    def click(self, user, ts, event_type="click", *, writer="v2", rts=None, partition=None,
              **fields):
        """Produces one event, record time = event time if not given."""
        value = self.writers.framed(click(user, ts, event_type, **fields), writer)
        self.raw(user, value, ts if rts is None else rts, partition)

    def flush(self):
        left = self.producer.flush(120)
        assert left == 0 and not self.errors, f"not produced: {left}, {self.errors[:3]}"

    def leaders(self):
        """Returns the node that leads each partition."""
        found = patiently(lambda: self.admin.list_topics(self.name, timeout=20)).topics[self.name]
        return [found.partitions[partition].leader for partition in range(self.partitions)]

    def ends(self):
        """Returns the high watermark of each partition."""
        with consumer(self.bootstrap) as reader:
            return [patiently(lambda at=place: reader.get_watermark_offsets(at, timeout=20))[1]
                    for place in self.places()]

    def committed(self, group):
        """Returns the committed offset of each partition, 0 where there is none."""
        with consumer(self.bootstrap, group) as reader:
            found = patiently(lambda: reader.committed(self.places(), timeout=20))
            return [max(place.offset, 0) for place in found]

    def places(self):
        return [confluent_kafka.TopicPartition(self.name, partition)
                for partition in range(self.partitions)]


def patiently(ask):
    """Asks until there is an answer: leaders and coordinators may be on their way."""
    def answer():
        with contextlib.suppress(confluent_kafka.KafkaException):
            return ask()
        return None
    return wait_for(answer, 30, "an answer from Kafka")


@contextlib.contextmanager
def consumer(bootstrap, group="looking-on"):
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
         "enable.partition.eof": True, "auto.offset.reset": "earliest",
         "fetch.wait.max.ms": 10})      # the end of a topic is told at once
    try:
        yield reader
    finally:
        reader.close()


def read_topic(bootstrap, name):
    """Returns all messages of a topic, partition by partition."""
    found = []
    with consumer(bootstrap) as reader:
        partitions = reader.list_topics(name, timeout=20).topics[name].partitions
        reader.assign([confluent_kafka.TopicPartition(name, partition, 0)
                       for partition in partitions])
        ended = set()
        while len(ended) < len(partitions):
            message = reader.poll(30)
            assert message is not None, f"no end of {name} in 30 s"
            if message.error() is None:
                found.append(message)
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise AssertionError(str(message.error()))
    return found


def copies(bootstrap, name):
    """Returns how often each rejected record is in a late or dead-letter topic, by its place."""
    found = {}
    for message in read_topic(bootstrap, name):
        headers = headers_of(message)
        place = (int(headers["__connect.errors.partition"]),
                 int(headers["__connect.errors.offset"]))
        found[place] = found.get(place, 0) + 1
    return found


class RejectWatch:
    """Sees to it that no record below a commit is produced again after a kill."""

    def __init__(self, topic, group):
        self.topic, self.group = topic, group
        self.kills = []      # (commit by partition, {kind: copies}) at each

    def copies(self):
        return {kind: copies(self.topic.bootstrap, f"{self.topic.name}-{kind}")
                for kind in ("late", "dead")}

    def killed(self):
        """To be called while no daemon runs."""
        self.kills.append((self.topic.committed(self.group), self.copies()))

    def check(self, fates):
        """Each record is there; none below the commit of a kill has come again since."""
        final = self.copies()
        for kind, names in (("late", ("late", "future", "too_old")),
                            ("dead", ("oversize", "unknown_schema", "undecodable", "bad_time",
                                      "no_key"))):
            assert len(final[kind]) == sum(fates.get(name, 0) for name in names)
            for commits, before in self.kills:
                for (partition, offset), count in final[kind].items():
                    if offset < commits[partition]:
                        was = before[kind].get((partition, offset), 0)
                        assert count == was > 0, (kind, partition, offset, was, count, commits)


def headers_of(message):
    return {name: value.decode(errors="replace") for name, value in message.headers() or []}


class Freshetd:
    """One daemon with its own directory, configuration, sockets and log."""

    def __init__(self, directory, topic, redis, settings=None, registry=None, name="a"):
        self.directory = Path(directory) / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.topic = topic
        self.redis = redis
        self.config = self.directory / "freshet.ini"
        self.log = self.directory / "freshetd.log"
        self.control_socket = self.directory / "control.sock"
        self.stat_socket = self.directory / "stat.sock"
        self.process = None
        self.program = BIN / "freshetd"
        self.group = f"group-{topic.name}"
        self.more_environment = {}
        self.settings = {
            "kafka.bootstrap.servers": topic.bootstrap,
            "kafka.topic": topic.name,
            "kafka.group.id": self.group,
            "kafka.commit_interval": "200ms",
            "kafka.session.timeout.ms": 6000,
            "kafka.heartbeat.interval.ms": 1000,
            "kafka.topic.metadata.refresh.interval.ms": 2000,
            "kafka.reconnect.backoff.max.ms": 1000,
            "schema.reader": READER,
            "schema.registry": registry.url if registry else "",
            "time.idle_timeout": "0",
            "features.file": SCHEMAS / "features.ini",
            "redis.url": f"redis://127.0.0.1:{redis.port}/0",
            "redis.flush_interval": "20ms",
            "control.socket": self.control_socket,
            "control.stat_socket": self.stat_socket,
            "http.listen": "",
        }
        self.settings.update(settings or {})

    def write_config(self):
        sections = {}
        for key, value in self.settings.items():
            section, _, name = key.partition(".")
            if value is not None:
                sections.setdefault(section, []).append(f"{name} = {value}")
        self.config.write_text("\n".join(
            f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items()))

    def environment(self):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("FRESHET_") and name != "NOTIFY_SOCKET"}
        return {**kept, **self.more_environment}

    def launch(self, *words, env=None):
        """Starts the process without waiting."""
        self.write_config()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", self.program, "-c", self.config,
                 *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                env={**self.environment(), **(env or {})})
        return self

    def start(self, *words, env=None):
        """Starts the process and waits until its control socket answers."""
        self.launch(*words, env=env)
        self.wait(lambda: self.control("PING") == "PONG", 20, "PING")
        return self

    def wait(self, test, seconds=20, what="condition"):
        """As wait_for, but fails at once, with the log, when the daemon ends."""
        def alive_and():
            if self.process.poll() is not None:
                raise AssertionError(f"freshetd ended, status {self.process.returncode}\n"
                                     f"{self.log_end()}")
            return test()
        try:
            return wait_for(alive_and, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.look()}\n{self.log_end()}") from None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_end(self):
        return "\n".join(self.log_text().splitlines()[-25:])

    def look(self):
        try:
            return self.control("STATUS")
        except (OSError, RespError) as error:
            return f"no STATUS: {error}"

    def control(self, *words, path=None, timeout=30):
        """Sends a command; returns its answer, the lines of a longer one joined."""
        with Resp(path or self.control_socket, timeout) as peer:
            answer = peer.command(*words)
        return "\n".join(map(str, answer)) if isinstance(answer, list) else answer

    def fates(self):
        """Returns the count of each fate, from the metrics."""
        pattern = r'^freshet_records_total\{fate="(\w+)"\} (\d+)'
        return {name: int(count)
                for name, count in re.findall(pattern, self.control("METRICS"), re.MULTILINE)}

    def metric(self, name):
        """Returns the sum over all label sets of a metric, None when it is not there."""
        pattern = rf"^{name}(?:\{{[^}}]*\}})? (\S+)$"
        found = re.findall(pattern, self.control("METRICS"), re.MULTILINE)
        return sum(float(value) for value in found) if found else None

    def quiet(self):
        """Whether nothing waits in the daemon (it may still be assigned too little)."""
        names = ("freshet_consumer_lag", "freshet_records_in_flight", "freshet_partition_held",
                 "freshet_rows_dirty", "freshet_redis_inflight_bytes", "freshet_late_pending")
        return not any(self.metric(name) for name in names)

    def wait_caught_up(self, seconds=60, others=()):
        """Waits until all that was produced is applied and its rows are in Redis."""
        self.topic.flush()
        ends = self.topic.ends()

        def caught_up():
            if self.topic.committed(self.group) != ends:
                return False
            daemons = [self, *others]
            owned = sum(daemon.metric("freshet_partitions_assigned") for daemon in daemons)
            return owned == len(ends) and all(daemon.quiet() for daemon in daemons)
        self.wait(caught_up, seconds, f"caught up with {ends}")
        return self

    def assert_equal(self, *words):
        """Compares all of Redis with the oracle's recomputation of the topic; returns its words."""
        done = subprocess.run(
            [sys.executable, TREE / "tests" / "oracle" / "compare.py", "--config", self.config,
             *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}\n{self.look()}"
        return done.stdout

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds=40, status=0):
        """SIGTERM, then checks how it ended."""
        self.process.send_signal(signal.SIGTERM)
        self.wait_end(seconds, status)

    def wait_end(self, seconds=40, status=0):
        try:
            ended = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running\n{self.look()}\n{self.log_end()}") from None
        assert ended == status, f"status {ended}, not {status}\n{self.log_end()}"

    def close(self):
        """Ends it whatever it does; its log has no sanitizer report and it has not died."""
        if self.process is None:
            return
        died = self.process.poll()
        if died is None:
            self.kill9()
        text = self.log_text()
        assert not REPORTS.search(text), f"sanitizer report\n{text[-6000:]}"
        assert died not in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS), \
            f"died of signal {-died}\n{self.log_end()}"


def program(*words, **options):
    """Runs one of our programs to its end; returns the finished process."""
    options = {"stdin": subprocess.DEVNULL, "timeout": 120 * PATIENCE, **options}
    return subprocess.run([BIN / words[0], *map(str, words[1:])], capture_output=True, text=True,
                          check=False, **options)


def client(redis, **options):
    """Returns a redis-py client of a services.Redis."""
    return redis_client.Redis(port=redis.port, socket_timeout=10, **options)


def row(redis, key, prefix=""):
    """Returns the row of a key as a dict of strings; empty when there is none."""
    found = client(redis).hgetall(f"{prefix}features:{key}")
    return {name.decode(): value.decode(errors="surrogateescape")
            for name, value in found.items()}
