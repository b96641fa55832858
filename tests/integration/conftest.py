"""Fixtures: one Kafka broker for all tests, a Redis, a registry and daemons for each."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "services"))
import services  # noqa: E402
from harness import BIN, TREE, FakeRegistry, Freshetd, Topic  # noqa: E402


@pytest.fixture(scope="session")
def workspace():
    """A short path (Unix sockets allow 107 bytes) that goes away at the end."""
    path = Path(tempfile.mkdtemp(prefix="freshet-"))
    yield path
    if os.environ.get("FRESHET_KEEP"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_kafka(workspace):
    broker = services.Kafka(workspace / "kafka")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def shared_cluster(workspace):
    brokers = services.Kafka(workspace / "cluster", brokers=3, broker_session_timeout_ms=4000,
                             broker_heartbeat_interval_ms=500)
    brokers.start()
    yield brokers
    brokers.kill()


def in_order(kafka):
    """Running, whatever the test before did to it."""
    if not kafka.running():
        kafka.kill()
        kafka.start()
    return kafka


@pytest.fixture
def kafka(shared_kafka):
    return in_order(shared_kafka)


@pytest.fixture
def cluster(shared_cluster):
    """Three brokers, each with a copy of everything."""
    return in_order(shared_cluster)


@pytest.fixture(scope="session")
def shim(workspace):
    """The library that makes calls fail."""
    if os.environ.get("FRESHET_SLOW_BUILD") == "asan":
        pytest.skip("the shim and ASan would both stand in for calls of libc")
    built = workspace / "failcall.so"
    subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared",
                    "-D_GNU_SOURCE", TREE / "tests" / "failcall.c", "-o", built], check=True)
    return built


@pytest.fixture
def directory(workspace):
    return Path(tempfile.mkdtemp(dir=workspace))


@pytest.fixture
def redis(directory):
    server = services.Redis(directory / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def registry():
    """A registry in this process that knows the writers of schemas/."""
    fake = FakeRegistry.standard()
    yield fake
    fake.stop()


@pytest.fixture
def topic(kafka):
    return Topic(kafka.bootstrap)


@pytest.fixture
def make_daemon(directory, topic, redis, registry):
    """Makes daemons (not started) that are ended and looked over after the test."""
    if not (BIN / "freshetd").exists():
        pytest.fail(f"{BIN}/freshetd is not built")
    made = []

    def make(settings=None, name="a", topic=topic, redis=redis, registry=registry):
        made.append(Freshetd(directory, topic, redis, settings, registry, name))
        return made[-1]
    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(make_daemon):
    """A running daemon with the ordinary settings."""
    return make_daemon().start()
