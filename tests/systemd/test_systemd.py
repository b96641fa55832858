"""The unit under a real systemd: booted by systemd-nspawn, with a real Kafka and a real Redis."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "integration"), str(HERE.parent / "services")]
import services  # noqa: E402
from harness import BIN, FakeRegistry, Freshetd, Topic, client, now_ms  # noqa: E402

UNITS = ("freshetd.service", "freshetd@.service")
# A wrong name of a check would go unseen: these must all have been made.
CHECKS = [
    "verify freshetd.service", "verify freshetd@.service", "sysusers.d", "tmpfiles.d",
    "start returns after READY", "type is notify", "rows are written", "status text is useful",
    "freshetctl finds its socket", "freshetctl health", "DynamicUser", "no capability",
    "NoNewPrivs", "seccomp filter", "file system is read-only", "cannot write to /etc",
    "can write its state", "cannot see homes", "reload", "reload is logged",
    "watchdog kills a stopped loop", "systemd starts it again", "a live loop feeds the watchdog",
    "stop", "stop drains", "wrong configuration fails", "and is not tried again and again",
    "ran to the end"]
DROP_IN = """[Service]
WatchdogSec=3s
RestartSec=200ms
LoadCredential=redis-password:/etc/freshet/redis-password
"""


def can_boot():
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is not installed"
    top = Path("/sys/fs/cgroup/unified")
    top = top if top.is_dir() else Path("/sys/fs/cgroup")
    if not (top / "cgroup.procs").exists():
        return "no cgroup version 2 tree"
    probe = top / f"freshet-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no cgroup of our own: {error}"
    return None


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The product as installed."""
    where = tmp_path_factory.mktemp("stage")
    done = subprocess.run(["cmake", "--install", BIN, "--prefix", "/usr"], text=True,
                          env={**os.environ, "DESTDIR": str(where)}, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return where


@pytest.fixture(scope="module")
def proof(stage, tmp_path_factory):
    """Boots once; returns {check: result}."""
    reason = can_boot()
    if reason:
        pytest.skip(f"SYSTEMD BOOT NOT TESTED: {reason}")
    where = tmp_path_factory.mktemp("boot")
    for name in ("proof", "out", "etc"):
        (where / name).mkdir()
    for name in ("proof.py", "proof.service"):
        shutil.copy(HERE / name, where / "proof")
    (where / "proof" / "test.conf").write_text(DROP_IN)
    kafka = services.Kafka(where / "kafka")
    redis = services.Redis(where / "redis", "--requirepass", "s3cret")
    registry = FakeRegistry.standard()
    try:
        kafka.start()
        redis.start()
        topic = Topic(kafka.bootstrap)
        for number in range(100):
            topic.click(f"user{number}", now_ms())
        topic.flush()
        etc = where / "etc"
        shutil.copytree(TREE / "schemas", etc / "schemas")
        (etc / "redis-password").write_text("s3cret")
        daemon = Freshetd(where, topic, redis, {
            "schema.reader": "/etc/freshet/schemas/click.avsc",
            "features.file": "/etc/freshet/schemas/features.ini",
            "redis.password": "${cred:redis-password}",
            "control.socket": None, "control.stat_socket": None}, registry)
        daemon.config = etc / "freshet.ini"
        daemon.write_config()
        booted = subprocess.run(
            [HERE / "boot", stage, where / "proof", where / "out", etc],
            capture_output=True, text=True, timeout=330, check=False)
        results = where / "out" / "results"
        assert results.exists(), f"{booted.stdout}{booted.stderr}"
        found = {line["name"]: line for line in map(json.loads, results.open())}
        found["committed"] = topic.committed(daemon.group), topic.ends()
        found["rows"] = client(redis, password="s3cret").keys("features:*")
        return found
    finally:
        registry.stop()
        redis.kill()
        kafka.kill()


@pytest.mark.parametrize("name", CHECKS)
def test_in_the_container(proof, name):
    assert name in proof, "this check was not made"
    assert proof[name]["good"], proof[name]["note"]


def test_stop_left_everything_behind_in_order(proof):
    committed, ends = proof["committed"]
    assert committed == ends and len(proof["rows"]) == 100


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(stage, unit):
    path = stage / "usr/lib/systemd/system" / unit
    assert path.exists()
    if "@" in unit:
        one = path.with_name("freshetd@one.service")
        shutil.copy(path, one)
        path = one
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                           "--no-pager", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr
