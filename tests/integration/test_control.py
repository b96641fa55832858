"""The control sockets: what each may do, and what a hostile client gets."""
import contextlib
import os
import resource
import socket
import stat
import threading
import time

import pytest
from harness import Resp, RespError, now_ms, row, wait_for
from traffic import shop


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(path))     # blocking: waits while the queue of connections is full
    peer.settimeout(30)
    return peer


def everything(peer):
    """Reads until the daemon closes; returns what it said."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := peer.recv(65536):
            data += piece
    return data


@pytest.fixture
def live(topic, daemon, redis):
    """Clicks all the time, with the delay until each is seen in Redis."""
    delays, problems, ended = [], [], threading.Event()

    def feed():
        number = 0
        while not ended.is_set():
            number += 1
            began = time.monotonic()
            topic.click("pulse", now_ms())
            topic.flush()
            try:
                wait_for(lambda: row(redis, "pulse").get("clicks_24h") == str(number), 10, "pulse")
            except AssertionError as error:
                problems.append(str(error))
                return
            delays.append(time.monotonic() - began)
            time.sleep(0.05)
    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    wait_for(lambda: len(delays) > 3, 30, "first clicks")
    yield daemon
    count = len(delays)
    wait_for(lambda: problems or len(delays) > count + 3, 30, "clicks go on")
    ended.set()
    thread.join()
    assert not problems and max(delays[3:]) < 5


def test_modes_of_the_sockets(daemon):
    assert stat.S_IMODE(os.stat(daemon.control_socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(daemon.stat_socket).st_mode) == 0o660


def test_stat_socket_only_looks(daemon):
    assert daemon.control("PING", path=daemon.stat_socket) == "PONG"
    assert "freshet" in daemon.control("INFO", path=daemon.stat_socket)
    for words in (("PAUSE",), ("DRAIN",), ("SHUTDOWN",), ("LOG", "LEVEL", "debug")):
        with pytest.raises(RespError):
            daemon.control(*words, path=daemon.stat_socket)


def test_who_changed_something_is_logged(daemon):
    daemon.control("PAUSE")
    daemon.control("RESUME")
    lines = [line for line in daemon.log_text().splitlines() if "PAUSE" in line]
    assert lines and f"pid={os.getpid()}" in lines[0] and f"uid={os.getuid()}" in lines[0]


def test_wrong_commands(daemon):
    for words in (("NOTHING",), ("GET",), ("GET", "a", "b"), ("CONFIG", "NOTHING"), ("PING\r\n",),
                  ("LOG", "LEVEL", "loud"), ("RESYNC", "99"), ("RESYNC", "-1"),
                  ("RESYNC", "99999999999999999999"), ("SHUTDOWN", "NOW")):
        with pytest.raises(RespError, match="^ERR "):
            daemon.control(*words)
    with Resp(daemon.control_socket) as peer:     # the connection survives an error
        with pytest.raises(RespError):
            peer.command("NOTHING")
        assert peer.command("ping") == "PONG"


def test_pause_and_resume(topic, daemon, redis):
    daemon.control("PAUSE")
    topic.click("ada", now_ms())
    topic.flush()
    time.sleep(1.5)
    assert row(redis, "ada") == {}
    daemon.control("RESUME")
    daemon.wait(lambda: row(redis, "ada"), what="the row after RESUME")


def test_flush_and_drain(topic, make_daemon, redis):
    daemon = make_daemon({"redis.flush_interval": "60s", "redis.flush_keys": 1000000}).start()
    topic.click("ada", now_ms())
    topic.flush()
    daemon.wait(lambda: daemon.fates().get("applied") == 1, what="applied")
    daemon.control("FLUSH")
    assert row(redis, "ada")["session_events"] == "1"
    topic.click("ada", now_ms())
    topic.flush()
    daemon.wait(lambda: daemon.fates().get("applied") == 2, what="applied")
    daemon.control("DRAIN")
    assert row(redis, "ada")["session_events"] == "2"
    assert topic.committed(daemon.group) == topic.ends()
    with pytest.raises(RespError, match="draining: nothing else is begun"):
        daemon.control("FLUSH")
    assert daemon.control("DRAIN") == "OK"      # it is


def test_config_get_and_log_level(daemon):
    answer = str(daemon.control("CONFIG", "GET", "session.*"))
    assert "session.gap" in answer and "redis.url" not in answer
    daemon.control("LOG", "LEVEL", "debug")
    assert "debug" in str(daemon.control("LOG", "LEVEL"))


def test_shutdown(topic, make_daemon, redis):
    daemon = make_daemon().start()
    shop(topic, 500, seed=1)
    daemon.wait(lambda: daemon.fates().get("applied", 0) > 400 and not
                daemon.metric("freshet_consumer_lag"), what="applied")
    assert daemon.control("SHUTDOWN") == "OK"
    assert topic.committed(daemon.group) == topic.ends()    # it was drained before it answered
    daemon.wait_end()
    daemon.start()
    with contextlib.suppress(ConnectionError):
        daemon.control("SHUTDOWN", "NOSAVE")
    daemon.wait_end()


def test_half_a_request_ends_in_time(live):
    for path in (live.control_socket, live.stat_socket):
        with connect(path) as peer:
            peer.sendall(b"*2\r\n$3\r\nGE")
            began = time.monotonic()
            everything(peer)
            assert 5 < time.monotonic() - began < 20


@pytest.mark.parametrize("hostile", [
    b"*2\r\n$3\r\nGET\r\n$1073741824\r\n" + b"x" * 100000,
    b"*1073741824\r\n",
    b"*-5\r\n$3\r\nGET\r\n",
    b"*1\r\n$-7\r\n",
    b"*2\r\n$99999999999999999999\r\n",
    b"*40\r\n" + b"$1\r\na\r\n" * 40,
    b"GET " + b"k" * 20000 + b"\r\n",
    b"x" * 100000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nPING",
    bytes(range(256)) * 100,
    b"\r\n" * 50000 + b"\xff\r\n" * 10000,
])
def test_hostile_bytes_are_answered_with_an_error_and_closed(live, hostile):
    with connect(live.control_socket) as peer:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.sendall(hostile)
            peer.shutdown(socket.SHUT_WR)
        said = everything(peer)
        assert said == b"" or said.startswith(b"-"), said[:200]
        assert len(said) <= 2 << 20


def test_client_that_never_reads(live):
    with connect(live.control_socket) as peer:
        peer.settimeout(20)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            while True:
                peer.sendall(b"METRICS\r\n" * 1000)
    with contextlib.suppress(ConnectionError, RespError):
        assert live.control("PING") == "PONG"


def test_ten_thousand_connections(live):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    peers = []
    try:
        for _ in range(10000):
            peers.append(connect(live.stat_socket))
        served = 0
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(b"PING\r\n")
                served += peer.recv(64).startswith(b"+PONG")
        assert 1 <= served <= 18
    finally:
        for peer in peers:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    live.wait(lambda: live.control("PING", path=live.stat_socket) == "PONG", 20, "served again")
    assert live.metric("freshet_control_refused_total") > 9000


def test_connections_that_come_and_go(live):
    for _ in range(2000):
        connect(live.control_socket).close()
    live.wait(lambda: live.control("PING") == "PONG", 20, "served again")
