"""The operator's hands on a live daemon: redis-cli, a Redis library, freshetctl, curl, promtool."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time
import urllib.error
import urllib.request

import pytest
import redis as redis_client
from harness import BIN, PATIENCE, RespError, now_ms, wait_for
from traffic import shop

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(words, keys, until):
    """What a program on a terminal of 200 columns has shown; `keys` are typed one after another,
    each as soon as what is beside it (a pattern) has been seen; `until` is waited for last."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    shown, steps = "", [*keys, (until, None)]
    deadline = time.monotonic() + 20 * PATIENCE
    try:
        for awaited, key in steps:
            since = len(shown)
            while not re.search(awaited, ESCAPES.sub("", shown[since:]), re.DOTALL):
                assert time.monotonic() < deadline, f"no {awaited!r} in {shown!r}"
                if select.select([master], [], [], 0.1)[0]:
                    shown += os.read(master, 65536).decode(errors="replace")
            if key is not None:
                os.write(master, key.encode())
        with contextlib.suppress(OSError):
            while select.select([master], [], [], 0.2)[0]:
                piece = os.read(master, 65536).decode(errors="replace")
                if not piece:
                    break
                shown += piece
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        status = os.waitpid(pid, 0)[1]
        os.close(master)
    return ESCAPES.sub("", shown), status


def test_a_long_command_says_how_far_it_is(daemon, topic, redis):
    """RESYNC is answered when every row is in Redis, and there is none to be written to."""
    shop(topic, 300, seed=1)
    daemon.wait_caught_up()
    rows = len(redis_client.Redis(port=redis.port).keys("features:*"))
    redis.kill()
    with subprocess.Popen([BIN / "freshetctl", "-s", daemon.control_socket, "resync"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
        said = asking.stderr.readline()
        assert re.fullmatch(r"freshetctl: resync: \d+ rows of 2 shards left, .*\n", said)
        assert "working    resync: " in daemon.control("STATUS")
        assert daemon.control("INFO").count("working:resync: ") == 1
        with pytest.raises(RespError, match="another RESYNC is under way"):
            daemon.control("RESYNC")
        wait_for(lambda: 'event=working what="resync: ' in daemon.log_text(), 20, "the log, too")
        assert asking.poll() is None
        redis.start()
        answer, _ = asking.communicate(timeout=60 * PATIENCE)
    assert (asking.returncode, answer) == (0, "2\n")
    assert len(redis_client.Redis(port=redis.port).keys("features:*")) == rows > 10
    assert "working" not in daemon.control("STATUS")


def ctl(daemon, *words):
    return subprocess.run([BIN / "freshetctl", "-s", daemon.control_socket, *words],
                          capture_output=True, text=True, timeout=30 * PATIENCE, check=False)


@pytest.fixture
def busy(topic, daemon):
    """A daemon that has seen something of ada."""
    for number in range(20):
        topic.click("ada", now_ms() - 1000 * number, "click", item_id=f"item-{number}")
    daemon.wait_caught_up()
    return daemon


def test_redis_cli_one_shot(busy):
    for words, expected in ((["PING"], "PONG"), (["STATUS"], "\nstream "),
                            # HELP it answers by itself, from COMMAND DOCS.
                            (["HELP", "EXPLAIN"], "Why the row"),
                            (["COMMAND", "HELP"], "Why the row"),
                            (["INFO", "nothing"], "server, stream, redis, fates and shards"),
                            (["LAG"], "partition"),
                            (["EXPLAIN", "ada"], "watermark"),
                            (["FATES"], "applied"), (["INFO"], "consumed:20")):
        done = subprocess.run(["redis-cli", "-s", busy.stat_socket, *words], capture_output=True,
                              text=True, timeout=30, check=True)
        assert expected in done.stdout and "\\n" not in done.stdout


def test_redis_cli_on_a_terminal(busy):
    # What is typed before redis-cli prompts for it is lost.
    prompt = re.escape(f"redis {busy.control_socket}> ")
    shown, _ = terminal(["redis-cli", "-s", str(busy.control_socket)],
                        [(prompt, "STATUS\r"), (f"fates.*{prompt}", "help explain\r"),
                         (f"summary.*{prompt}", "INFO\r"),
                         (f"shard0:.*{prompt}", "LOG LEVEL\r")], f"info.*{prompt}")
    assert "\\n" not in shown and "EXPLAIN key" in shown


def test_redis_library(busy):
    """Its greeting (HELLO, CLIENT SETINFO) is understood, and INFO is parsed."""
    client = redis_client.Redis(unix_socket_path=str(busy.stat_socket), decode_responses=True)
    assert client.ping()
    assert client.info()["consumed"] == 20
    assert "explain" in {name.lower() for name in client.command()}
    assert any("fates" in line for line in client.execute_command("STATUS"))
    with pytest.raises(redis_client.ResponseError, match="control socket"):
        client.execute_command("PAUSE")
    client.close()


def test_freshetctl(busy):
    status = ctl(busy, "status")
    assert status.returncode == 0 and "stream " in status.stdout
    values = json.loads(ctl(busy, "status", "--json").stdout)
    assert values["stream"]["consumed"] == 20 and values["fates"]["applied"] == 20
    assert [shard["partition"] for shard in json.loads(ctl(busy, "-j", "shards").stdout)] == [0, 1]
    assert "watermark" in ctl(busy, "explain", "ada").stdout
    row = json.loads(ctl(busy, "--json", "get", "ada").stdout)
    assert row["session_events"] == "20" and row["amount_mean_30d"] is None
    assert json.loads(ctl(busy, "--json", "config", "get", "session.gap").stdout) == {
        "session.gap": "30m"}
    assert ctl(busy, "explain", "nobody").returncode == 1
    assert ctl(busy, "no-such-command").returncode == 1
    assert ctl(busy).returncode == 2
    assert ctl(busy, "--no-such-option").returncode == 2
    assert ctl(busy, "flush").stdout == "OK\n"
    assert "running, ready" in ctl(busy, "health", "--ready").stdout


def test_freshetctl_without_a_daemon(busy):
    missing = subprocess.run([BIN / "freshetctl", "-s", busy.directory / "none.sock", "health"],
                             capture_output=True, text=True, timeout=30, check=False)
    assert missing.returncode == 3 and "none.sock" in missing.stderr
    busy.process.send_signal(signal.SIGSTOP)    # the loop hangs
    try:
        hanging = ctl(busy, "--timeout", "500ms", "health")
    finally:
        busy.process.send_signal(signal.SIGCONT)
    assert hanging.returncode == 3 and "no answer in time" in hanging.stderr


def test_top(busy):
    frames = ctl(busy, "top", "-n", "2", "-i", "200ms")
    assert frames.returncode == 0
    assert frames.stdout.count("partition ") == 2 and "\x1b" not in frames.stdout
    shown, status = terminal([str(BIN / "freshetctl"), "-s", str(busy.control_socket), "top"],
                             [("applied", ""), ("applied", "q")], "")
    assert os.waitstatus_to_exitcode(status) == 0, shown


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_http_pages(topic, make_daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free_port = taken.getsockname()[1]
    daemon = make_daemon({"http.listen": f"127.0.0.1:{free_port}"}).start()
    topic.click("ada", now_ms())
    daemon.wait_caught_up()
    wait_for(lambda: get(free_port, "/readyz")[0] == 200, 20, "ready")
    assert get(free_port, "/healthz")[0] == 200
    assert "<pre>" in get(free_port, "/")[1] and "partition  offset" in get(free_port, "/")[1]
    assert get(free_port, "/nothing")[0] == 404

    def counted():
        page = get(free_port, "/metrics")[1]
        return page if 'freshet_records_total{fate="applied"} 1' in page else None

    metrics = wait_for(counted, 20, "the click counted")    # the page is made anew now and then
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed: /metrics was read, but not judged")
    judged = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True,
                            text=True, timeout=30, check=False)
    assert judged.returncode == 0 and not judged.stderr, judged.stderr
