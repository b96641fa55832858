"""What benchmarks run on: a broker, a Redis, freshetd, the programs that share its code."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "services"))
import services  # noqa: E402
import workloads  # noqa: E402

BIN = Path(os.environ.get("FRESHET_BIN_DIR") or TREE / "build" / "release")
EPOCH_MS = 1_760_000_000_000    # event time of the first record
PATIENCE_S = 900                # for a run that does not end
LIVE_START_S = 2                # until a consumer waits for records
VERIFIED_KEYS = 2000


class Wrong(Exception):
    """A run gave a wrong answer, or none: its figure is void."""


def run(*words, **options):
    """Runs a command and returns what it printed."""
    options = {"capture_output": True, "text": True, "check": False, **options}
    done = subprocess.run([str(word) for word in words], **options)
    if done.returncode != 0:
        raise Wrong(f"{Path(str(words[0])).name} {words[1]}: status {done.returncode}\n"
                    f"{(done.stdout or '')[-1000:]}{(done.stderr or '')[-1000:]}")
    return done.stdout


def prepare():
    """Installs and builds what is missing, so that what is measured is what the tree says; with
    FRESHET_BIN_DIR the programs there are taken as they are."""
    if os.environ.get("FRESHET_BIN_DIR"):
        return
    for words in ([TREE / "tests" / "install-packages", "build", "redis", "java"],
                  ["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
        run(words[0], *words[1:], cwd=TREE)


def cpu_s(pid):
    """CPU seconds of all threads of a process; fine-grained where the kernel tells."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, what="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def run_part(name, rounds, directory, prefix=()):
    """Runs a row of PARTS, under the command `prefix`; returns what it says."""
    part, features = workloads.PARTS[name]
    path = Path(directory) / f"{features}.ini"
    path.write_text(workloads.features_text(features))
    return json.loads(run(*prefix, BIN / "tests" / "bench_parts", part, rounds, path))


class Stage:
    """Broker and Redis of one run of the suite."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.kafka = services.Kafka(self.directory / "kafka")
        self.redis = services.Redis(self.directory / "redis")

    def __enter__(self):
        self.kafka.start()
        self.redis.start()
        return self

    def __exit__(self, *_):
        self.redis.stop()
        self.kafka.stop()

    def redis_cli(self, *words, raw=None):
        return run("redis-cli", "-p", self.redis.port, *words, input=raw)

    def bounds_command(self, level, topic, start, middle, take=0):
        words = [",".join(map(str, offsets)) for offsets in (start, middle)]
        return [str(word) for word in (BIN / "tests" / "bench_bounds", level, self.kafka.bootstrap,
                                       topic, *words, take, self.redis.port)]

    def bounds(self, level, topic, start, middle):
        """Runs a bound on the records from `middle` on, warmed up by those from `start`."""
        return json.loads(run(*self.bounds_command(level, topic, start, middle)))

    @contextlib.contextmanager
    def live_floor(self, topic, events):
        """B0 beside a batch while it is being made; the yielded dictionary is filled at the end."""
        found = {}
        command = self.bounds_command("drop", topic.name, topic.end, topic.end, events)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                time.sleep(LIVE_START_S)
                yield found
                found.update(json.loads(child.communicate(timeout=PATIENCE_S)[0]))
            finally:
                child.kill()


class Topic:
    """A topic that grows: batches of records, each behind the one before in event time."""

    def __init__(self, stage, workload, name):
        self.stage, self.workload, self.name = stage, workload, name
        self.batches, self.end_ms, self.records = 0, EPOCH_MS, 0
        self.start = self.middle = self.end = [0] * workload.partitions

    def generate(self, events, rate, span_ms):
        load = self.workload
        run(BIN / "freshet", "generate", "--brokers", self.stage.kafka.bootstrap, "--topic",
            self.name, "--create", "--partitions", load.partitions, "--events", events,
            "--users", load.users, "--zipf", load.zipf, "--thinking", load.thinking,
            "--out-of-order", load.out_of_order, "--late", load.late, "--framing", "raw",
            "--seed", self.batches, "--end", self.end_ms, "--span", f"{span_ms}ms", "--quiet",
            "--rate", rate, "--property", f"compression.type={load.compression}")

    def grow(self, events, rate=0):
        """Adds a batch, at so many events a second (0: at once); it is what lies between `middle`
        and `end`. The same batches are the same records in any topic."""
        span_ms = int(self.workload.span_s * 1000 * events / self.workload.events)
        self.end_ms += span_ms
        self.batches += 1
        self.records += events
        self.generate(events, rate, span_ms)
        self.start, self.middle = self.middle, self.end
        self.end = self.stage.bounds("drop", self.name, self.middle, self.middle)["next"]

    def floor(self, level="drop"):
        return self.stage.bounds(level, self.name, self.start, self.middle)


class Daemon:
    """freshetd on a topic, with checkpoints, steered through its control socket."""

    def __init__(self, stage, topic, directory):
        self.stage, self.topic = stage, topic
        self.directory = directory
        self.socket = directory / "control.sock"
        self.process = None
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        (directory / "features.ini").write_text(
            workloads.features_text(topic.workload.features))
        (directory / "checkpoints").mkdir()
        settings = {
            "kafka.bootstrap.servers": stage.kafka.bootstrap, "kafka.topic": topic.name,
            "kafka.group.id": "bench", "schema.reader": TREE / "schemas" / "click.avsc",
            "schema.framing": "raw", "time.idle_timeout": "0", "session.cut_at": "off",
            "features.file": directory / "features.ini",
            "redis.url": f"redis://127.0.0.1:{stage.redis.port}/0",
            "checkpoint.store": "dir", "checkpoint.dir": directory / "checkpoints",
            "checkpoint.interval": "1h", "control.socket": self.socket, "control.stat_socket": "",
            "http.listen": "", **topic.workload.settings}
        text, section = "", None
        for key, value in sorted(settings.items()):
            if key.split(".", 1)[0] != section:
                section = key.split(".", 1)[0]
                text += f"[{section}]\n"
            text += f"{key.split('.', 1)[1]} = {value}\n"
        self.config = directory / "freshet.ini"
        self.config.write_text(text)

    def __enter__(self):
        with open(self.directory / "freshetd.log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", BIN / "freshetd", "-c", self.config],
                stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        return run("redis-cli", "-s", self.socket, *words)

    def info(self):
        """INFO as a dictionary; empty while it does not answer."""
        try:
            lines = self.ask("INFO").splitlines()
        except Wrong:
            lines = []
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def settle(self, records):
        """Waits until `records` are taken and every row is in Redis; returns INFO."""
        deadline = time.monotonic() + PATIENCE_S
        state = {}
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Wrong(f"freshetd ended: {self.log_end()}")
            state = self.info()
            if int(state.get("consumed", 0)) >= records and all(
                    state[key] == "0" for key in ("dirty", "inflight_rows", "unsynced", "held")):
                return state
            time.sleep(0.05)
        raise Wrong(f"freshetd is not through after {PATIENCE_S} s: {state}")

    def log_end(self):
        return (self.directory / "freshetd.log").read_text()[-1000:]

    def verify(self):
        """The rows in Redis are those that the log gives, for a sample of keys."""
        said = run(BIN / "freshet", "verify", "-c", self.config, "--sample", VERIFIED_KEYS)
        return said.splitlines()[-1]


def rows_digest(stage, fields=("session_events", "session_value", "last_item")):
    """What job_result() of job.c is for a table, of the rows in Redis: (keys, digest)."""
    keys = stage.redis_cli("--scan", "--pattern", "features:*").split()
    commands = "\n".join(f"HMGET {key} {' '.join(fields)}" for key in keys) + "\n"
    lines = stage.redis_cli(raw=commands).split("\n")
    total = 0
    for k, key in enumerate(keys):
        events, value, item = lines[3 * k:3 * k + 3]
        cents = round(float(value or 0) * 100)
        total += zlib.crc32(f"{key[len('features:'):]},{events},{cents},{item}".encode())
    return len(keys), f"{total:016x}"
