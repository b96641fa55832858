"""`freshet inspect --checkpoint`: what is kept is shown, and damage is found where it is."""
import re
import shutil

import pytest
from harness import now_ms, program
from traffic import shop


def inspect(*words):
    return program("freshet", "inspect", *words)


@pytest.fixture(params=["dir", "kafka"])
def kept(request, make_daemon, topic, directory):
    """A daemon that has ended, and how to look at what it has kept: a base and a delta a shard."""
    daemon = make_daemon({"checkpoint.store": request.param, "checkpoint.interval": "1h",
                          "checkpoint.dir": directory / "state"}).start()
    consumed = 0
    for seed, events in enumerate((3000, 60)):
        shop(topic, events, seed=seed, start_ms=now_ms(), users=500)
        consumed += events
        daemon.wait(lambda: daemon.metric("freshet_consumed_total") == consumed and daemon.quiet(),
                    what=f"{consumed} applied")
        assert daemon.control("CHECKPOINT") == "OK"
    daemon.kill9()
    if request.param == "dir":
        return daemon, ("--checkpoint", directory / "state")
    return daemon, ("--checkpoint", f"{daemon.group}-checkpoints", "--brokers", topic.bootstrap)


def values(text, label):
    return re.findall(rf"^{label} +(.*)$", text, re.MULTILINE)


def test_what_is_kept(kept, topic):
    daemon, where = kept
    done = inspect(*where)
    assert done.returncode == 0, done
    assert values(done.stdout, "shard") == [f"{daemon.group}:{topic.name}:{p}" for p in (0, 1)]
    offsets = [int(text.split(",")[0]) for text in values(done.stdout, "offset")]
    assert offsets == topic.ends()
    assert sum(map(int, values(done.stdout, "keys"))) > 100
    assert values(done.stdout, "format") == ["1", "1"]
    assert all("and 1 deltas" in text for text in values(done.stdout, "size"))
    assert all("segments 2, whole 2" in text for text in values(done.stdout, "chain"))
    assert "2 shards, segments that cannot be used: 0" in done.stdout
    done = inspect(*where, "--partition", "1")
    assert done.returncode == 0, done
    assert values(done.stdout, "shard") == [f"{daemon.group}:{topic.name}:1"]


def test_a_key_in_words(kept, redis):
    daemon, where = kept
    done = inspect(*where, "--config", daemon.config, "--key", "user1")
    assert done.returncode == 0, done
    assert values(done.stdout, "key")[0].startswith("user1, partition ")
    assert "in this life of the key" in values(done.stdout, "sessions")[0]
    assert '"key":"user1"' in values(done.stdout, "shows")[0]
    stranger = inspect(*where, "--config", daemon.config, "--key", "nobody")
    assert stranger.returncode == 66 and "no shard has the key nobody" in stranger.stderr
    daemon.settings["session.gap"] = "11m"
    daemon.write_config()
    other = inspect(*where, "--config", daemon.config)
    assert other.returncode == 65 and "it follows other rules" in other.stdout
    assert redis


@pytest.mark.parametrize("kept", ["dir"], indirect=True)
def test_damage_is_found_where_it_is(kept, directory):
    _, where = kept
    state = directory / "state"
    base, delta = sorted(state.glob("0-*.checkpoint"))
    whole = delta.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) - 5] ^= 16
    for data, said in ((flipped, r"segment 1, record \d+ at byte \d+: fails its checksum"),
                       (whole[:-1], "it was cut short")):
        delta.write_bytes(data)
        done = inspect(*where)
        assert done.returncode == 65
        found = re.search(rf"{re.escape(delta.name)}: {said}", done.stdout)
        assert found, done.stdout
        assert "segments 2, whole 1" in done.stdout and "segments 2, whole 2" in done.stdout
        assert "and 0 deltas" in values(done.stdout, "size")[0]      # what would be used
    delta.write_bytes(whole)
    base.unlink()
    done = inspect(*where)
    assert done.returncode == 65 and "does not follow the segment before" in done.stdout
    assert "of partition 0: nothing that can be used" in done.stdout


@pytest.mark.parametrize("kept", ["kafka"], indirect=True)
def test_a_chunk_is_missing(kept, topic):
    daemon, where = kept
    name = f"{daemon.group}-checkpoints"
    pointer = f"{daemon.group}:{topic.name}:0"
    topic.raw(pointer, b"freshet checkpoint 1\n00000000000000aa 0 deadbeef 3\n", topic=name,
              partition=0)
    topic.flush()
    done = inspect(*where)
    assert done.returncode == 65
    assert "00000000000000aa-000000-deadbeef: chunk 0 of 3 is missing" in done.stdout


def test_nothing_to_look_at(directory, kafka):
    (directory / "empty").mkdir()
    for path, said in ((directory / "empty", "there are no checkpoints"),
                       (directory / "none", "No such file")):
        done = inspect("--checkpoint", path)
        assert done.returncode == 66 and said in done.stderr
    done = inspect("--checkpoint", "no-such-topic", "--brokers", kafka.bootstrap)
    assert done.returncode == 69 and "no-such-topic" in done.stderr
    shutil.rmtree(directory / "empty")
    for words in (("--key", "a", "--topic", "t"), ("--checkpoint", "a", "--key", "b")):
        done = inspect(*words)
        assert done.returncode == 64 and "--key needs" in done.stderr
