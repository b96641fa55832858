"""State is saved and taken over: a restart goes on where the checkpoint is, and nothing is lost."""
import contextlib
import os
import random
import re
import subprocess
import threading
import time

import confluent_kafka
import confluent_kafka.admin
import pytest
from harness import RejectWatch, Topic, client, now_ms, read_topic, row, wait_for
from traffic import Poller, shop

QUICK = {"checkpoint.interval": "300ms"}


@pytest.fixture
def saving(make_daemon, directory):
    """Makes daemons that keep their state in a directory of their own."""
    def make(settings=None, name="a", **words):
        return make_daemon({"checkpoint.dir": directory / f"state-{name}", **QUICK,
                            **(settings or {})}, name=name, **words)
    return make


@pytest.fixture(params=["dir", "kafka"])
def keeping(request, saving):
    """The same, in a directory and in a topic."""
    def make(settings=None, **words):
        return saving({"checkpoint.store": request.param, **(settings or {})}, **words)
    return make


def segments(daemon):
    return sorted(daemon.settings["checkpoint.dir"].glob("*.checkpoint"))


def starts(daemon):
    """Returns the offsets at which partitions were assigned last, by partition."""
    return {int(partition): int(offset) for partition, offset in
            re.findall(r"partition_assigned partition=(\d+) start=(\d+)", daemon.log_text())}


def wait_applied(daemon, count):
    """Waits until so many records were applied since the start."""
    daemon.topic.flush()
    daemon.wait(lambda: daemon.metric("freshet_consumed_total") == count and
                not daemon.metric("freshet_records_in_flight"), what=f"{count} applied")


def settle(daemon):
    """Waits until all is applied and written, and saves it."""
    daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 2 and daemon.quiet(),
                what="all applied and written")
    assert daemon.control("CHECKPOINT") == "OK"
    daemon.wait_caught_up()


def test_a_restart_reads_only_what_came_after(keeping, topic):
    daemon = keeping().start()
    shop(topic, 3000, seed=1)
    daemon.wait_caught_up()
    assert daemon.control("CHECKPOINT") == "OK"
    ends = topic.ends()
    daemon.kill9()
    shop(topic, 200, seed=2, start_ms=now_ms())
    daemon.start().wait_caught_up()
    assert starts(daemon) == dict(enumerate(ends))
    assert daemon.metric("freshet_consumed_total") == 200
    daemon.assert_equal()
    daemon.terminate()


def test_killed_at_any_moment(keeping, topic, redis):
    """Base and deltas, replay suppression and rows that were in flight, at 8 random moments."""
    daemon = keeping({"checkpoint.interval": "100ms", "kafka.group.instance.id": "one"}).start()
    feeder = threading.Thread(target=shop, args=(topic, 20000), kwargs={"seed": 3, "pace": 1500})
    feeder.start()
    choice = random.Random(3)
    with Poller(redis) as poller:
        for _ in range(8):
            daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 2, what="assigned")
            time.sleep(choice.uniform(0.0, 1.0))
            daemon.kill9()
            daemon.start()
        feeder.join()
        daemon.wait_caught_up()
    assert poller.reads > 0 and poller.problems == []
    assert daemon.log_text().count("checkpoint_loaded") >= 8
    assert "checkpoint_damaged" not in daemon.log_text()
    daemon.assert_equal()
    daemon.terminate()


def test_late_records_are_not_lost_behind_a_checkpoint(keeping, kafka):
    topic = Topic(kafka.bootstrap, partitions=2)
    topic.create(f"{topic.name}-late")
    topic.create(f"{topic.name}-dead")
    daemon = keeping({"late.topic": f"{topic.name}-late", "kafka.group.instance.id": "one",
                     "late.dead_letter_topic": f"{topic.name}-dead"}, topic=topic).start()
    rejects = RejectWatch(topic, daemon.group)
    for seed in range(4):
        shop(topic, 2000, seed=seed, late=0.05, malformed=0.05)
        daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 2, what="assigned")
        time.sleep(0.3 * seed)
        daemon.kill9()
        rejects.killed()
        daemon.start()
    daemon.wait_caught_up()
    daemon.assert_equal()
    daemon.terminate()
    # A daemon without checkpoints reads the whole log and counts what there is.
    daemon.settings["checkpoint.store"] = "none"
    daemon.start().wait_caught_up()
    rejects.check(daemon.fates())
    daemon.terminate()


def test_damage_falls_back_to_the_one_before(saving, topic):
    daemon = saving({"checkpoint.interval": "1h"}).start()
    consumed = 0
    for seed, events in enumerate((4000, 60, 60)):      # small ones, so that they are deltas
        shop(topic, events, seed=seed, start_ms=now_ms(), users=500)
        consumed += events
        wait_applied(daemon, consumed)
        assert daemon.control("CHECKPOINT") == "OK"
    daemon.kill9()
    files = segments(daemon)
    assert [name.name[-17:] for name in files] == [
        f"{index:06}.checkpoint" for _ in range(2) for index in range(3)]
    before = topic.ends()
    for path in files[2::3]:        # the newest of both partitions
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    daemon.start()
    settle(daemon)
    assert "an older one is used" in daemon.log_text()
    assert all(0 < offset < end for offset, end in zip(starts(daemon).values(), before))
    daemon.assert_equal()
    daemon.kill9()
    for path in segments(daemon):   # all of it
        path.write_bytes(path.read_bytes()[:-1])
    settle(daemon.start())
    assert starts(daemon) == {0: 0, 1: 0}
    assert "starts without state" in daemon.log_text()
    daemon.assert_equal()


def test_a_second_process_is_kept_out(saving, directory):
    first = saving().start()
    second = saving({"checkpoint.dir": directory / "state-a"}, name="b")
    second.launch()
    second.wait_end(status=69)
    assert "another process uses the directory" in second.log_text()
    first.terminate()
    assert oct((directory / "state-a").stat().st_mode)[-3:] == "700"


def test_another_application_is_kept_out(saving, topic):
    daemon = saving().start()
    shop(topic, 100, seed=1)
    daemon.wait_caught_up()
    daemon.terminate()
    daemon.settings["kafka.group.id"] = "stranger"
    daemon.launch()
    daemon.wait_end(status=70)
    assert "it belongs to" in daemon.log_text()


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_stops_only_checkpoints(saving, topic, redis, directory):
    with small_disk(directory / "disk", "400k") as disk:
        daemon = saving({"checkpoint.dir": disk / "state"}).start()
        shop(topic, 300, seed=1, users=20)
        daemon.wait_caught_up()
        (disk / "filler").write_bytes(b"x" * 4096)
        with contextlib.suppress(OSError), open(disk / "filler", "ab") as filler:
            while True:
                filler.write(b"x" * 4096)
                filler.flush()
        committed = topic.committed(daemon.group)
        shop(topic, 300, seed=2, start_ms=now_ms())
        topic.flush()
        daemon.wait(lambda: daemon.metric("freshet_consumed_total") == 600 and daemon.quiet(),
                    what="rows go on being written")
        wait_for(lambda: "checkpoint_failed" in daemon.control("STATUS"), what="an alarm")
        assert "No space left" in daemon.control("STATUS")
        assert topic.committed(daemon.group) == committed
        assert daemon.metric("freshet_alarm") >= 1
        (disk / "filler").unlink()
        daemon.wait_caught_up()
        wait_for(lambda: "checkpoint_failed" not in daemon.control("STATUS"), what="it is over")
        daemon.kill9()
        daemon.start().wait_caught_up()
        daemon.assert_equal()
        daemon.terminate()
    assert row(redis, "user1")


def test_drain_and_shutdown_save_and_nosave_does_not(saving, topic):
    daemon = saving({"checkpoint.interval": "1h"}).start()
    shop(topic, 500, seed=1)
    topic.flush()
    ends = topic.ends()
    daemon.wait(lambda: daemon.metric("freshet_consumed_total") == 500 and daemon.quiet(),
                what="consumed")
    assert daemon.control("SHUTDOWN", "NOSAVE") == "OK"
    daemon.wait_end()
    assert segments(daemon) == []
    daemon.start()
    daemon.wait(lambda: daemon.metric("freshet_consumed_total") == 500 and daemon.quiet(),
                what="consumed again")
    assert daemon.control("DRAIN") == "OK"
    assert topic.committed(daemon.group) == ends
    daemon.terminate()
    daemon.start()
    daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 2, what="partitions")
    assert starts(daemon) == dict(enumerate(ends))
    daemon.terminate()      # SIGTERM is DRAIN, too
    daemon.assert_equal()


def test_redis_is_away_while_state_is_saved(keeping, topic, redis):
    """The checkpoint has the rows that were not written, and the next start writes them."""
    daemon = keeping().start()
    shop(topic, 300, seed=1)
    daemon.wait_caught_up()
    redis.kill()
    shop(topic, 300, seed=2, start_ms=now_ms())
    topic.flush()
    ends = topic.ends()
    daemon.wait(lambda: topic.committed(daemon.group) == ends, what="saved and committed")
    daemon.kill9()
    redis.start()
    daemon.start().wait_caught_up()
    assert starts(daemon) == dict(enumerate(ends))
    daemon.assert_equal()
    daemon.terminate()


def test_redis_loses_what_was_acknowledged(keeping, topic, redis):
    """FLUSHALL between the checkpoint and the restart: every row is written again."""
    daemon = keeping().start()
    shop(topic, 500, seed=1)
    daemon.wait_caught_up()
    assert daemon.control("CHECKPOINT") == "OK"
    daemon.kill9()
    client(redis).flushall()
    daemon.start().wait_caught_up()
    daemon.assert_equal()
    daemon.terminate()


def test_partitions_move_and_come_back(saving, topic, redis):
    """State is parked over a rebalance; a daemon that has none of a partition reads its log."""
    one = saving(name="a").start()
    shop(topic, 2000, seed=1)
    one.wait_caught_up()
    two = saving(name="b").start()
    shop(topic, 1000, seed=2, start_ms=now_ms())
    one.wait_caught_up(others=[two])
    two.terminate()
    shop(topic, 500, seed=3, start_ms=now_ms())
    one.wait_caught_up()
    one.kill9()
    one.start().wait_caught_up()
    one.assert_equal()
    one.terminate()


def test_state_moves_with_its_partition(saving, topic):
    """From one daemon to another that has seen neither the log nor the state before."""
    store = {"checkpoint.store": "kafka"}
    one = saving(store, name="a").start()
    shop(topic, 2000, seed=1)
    one.wait_caught_up()
    ends = topic.ends()
    two = saving(store, name="b").start()
    two.wait(lambda: two.metric("freshet_partitions_assigned") == 1, 30, "its partition")
    (moved, offset), = starts(two).items()
    assert offset == ends[moved]
    shop(topic, 1000, seed=2, start_ms=now_ms())
    one.wait_caught_up(others=[two])
    one.kill9()
    two.wait(lambda: two.metric("freshet_partitions_assigned") == 2, 30, "the other one, too")
    assert min(starts(two).values()) > 0
    two.wait_caught_up()
    two.assert_equal()
    two.terminate()


def chunks(topic, name):
    """Returns the keys of the checkpoints' topic that are not removed, as strings."""
    newest = {message.key(): message.value() for message in read_topic(topic.bootstrap, name)}
    return {key.decode(): value for key, value in newest.items() if value is not None}


def test_topic_of_checkpoints(saving, topic):
    """It is compacted, has the input's partitions, and what no pointer names is removed."""
    daemon = saving({"checkpoint.store": "kafka", "checkpoint.interval": "1h"}).start()
    for seed in range(4):       # so few events that each checkpoint is a base
        shop(topic, 50, seed=seed, start_ms=now_ms())
        wait_applied(daemon, 50 * (seed + 1))
        assert daemon.control("CHECKPOINT") == "OK"
    name = f"{daemon.group}-checkpoints"
    shard = f"{daemon.group}:{topic.name}:0"
    found = wait_for(lambda: (now := chunks(topic, name)) and now[shard].count(b" 0 ") <= 2
                     and now, 20, "two chains")
    named = found[shard].decode().splitlines()
    assert named[0] == "freshet checkpoint 1"
    segments_named = {"{}-{:06}-{}".format(*line.split()[:1], int(line.split()[1]),
                                           line.split()[2]) for line in named[1:]}
    daemon.terminate()
    left = {key.split("/")[1] for key in chunks(topic, name) if key.startswith(f"{shard}/")}
    newest = chunks(topic, name)[shard].decode()
    assert all(segment.split("-")[0] in newest for segment in left), (left, newest)
    assert segments_named and len(left) <= len(newest.splitlines()) - 1
    described = topic.admin.describe_configs(
        [confluent_kafka.admin.ConfigResource("topic", name)])
    settings = next(iter(described.values())).result(20)
    assert settings["cleanup.policy"].value == "compact"
    assert len(topic.admin.list_topics(name, timeout=20).topics[name].partitions) == 2


def test_pointer_to_what_is_not_there(saving, topic):
    """Of a chain that lost a piece what is whole is used; a pointer that is none is passed by."""
    daemon = saving({"checkpoint.store": "kafka", "checkpoint.interval": "1h"}).start()
    shop(topic, 1000, seed=1, start_ms=now_ms())
    wait_applied(daemon, 1000)
    assert daemon.control("CHECKPOINT") == "OK"
    ends = topic.ends()
    daemon.kill9()
    name = f"{daemon.group}-checkpoints"
    pointers = {key: value.decode() for key, value in chunks(topic, name).items()
                if "/" not in key}
    assert len(pointers) == 2
    for key, text in pointers.items():
        chain = text.splitlines()[1].split()[0]
        topic.raw(key, f"{text}{chain} 1 deadbeef 1\n".encode(), topic=name,
                  partition=int(key.rsplit(":", 1)[1]))
    topic.flush()
    daemon.start()
    settle(daemon)
    assert daemon.log_text().count("parts of it are missing") == 2
    assert starts(daemon) == dict(enumerate(ends))
    daemon.assert_equal()
    daemon.kill9()
    for key in pointers:
        topic.raw(key, b"nonsense", topic=name, partition=int(key.rsplit(":", 1)[1]))
    topic.flush()
    daemon.start()
    settle(daemon)      # the pointer before it is still in the topic
    assert starts(daemon) == dict(enumerate(ends))
    daemon.assert_equal()
    daemon.terminate()
