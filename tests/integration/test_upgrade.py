"""Checkpoints of every format that is still read: they load, and what follows equals the oracle.

data/checkpoint-N was made in format N, of the first half of its log. FRESHET_MAKE_CHECKPOINT=N
makes it, when N is the present format and there is none; it is kept as it is from then on.
"""
import json
import os
import shutil
import sys
from pathlib import Path

import fastavro
import pytest
from harness import BIN, TREE, Topic, encode, program

ORACLE = TREE / "tests" / "oracle"
DATA = Path(__file__).resolve().parent / "data"
LINES = 300


class Kept:
    """A log, the settings it was read with, and the checkpoint of its first half."""

    def __init__(self, path, bootstrap):
        self.path = path
        self.version = int(path.name.rsplit("-", 1)[1])
        self.lines = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
        self.settings = {**json.loads((path / "settings.json").read_text()),
                         "schema.registry": "", "schema.reader": path / "event.avsc",
                         "features.file": path / "features.ini", "checkpoint.interval": "1h"}
        self.topic = Topic(bootstrap, 1, name=f"kept-{self.version}", retention_ms=-1)
        schema = json.loads((path / "event.avsc").read_text())
        schema["fields"][1]["type"] = "long"    # so that times outside the range can be written
        self.schema = fastavro.parse_schema(schema)

    def produce(self, lines):
        for line in lines:
            fields = {name: value for name, value in line.items() if name[0] != "@"}
            value = None if "@value" in line else encode(self.schema, fields)
            self.topic.raw(fields.get("who") or "", value, line["@timestamp"], 0)
        self.topic.flush()


def settle(daemon, applied):
    """Waits until so many records were applied since the start, and written."""
    daemon.wait(lambda: daemon.metric("freshet_partitions_assigned") == 1 and
                daemon.metric("freshet_consumed_total") == applied and daemon.quiet(),
                what=f"{applied} applied and written")


@pytest.fixture(scope="module", params=sorted(DATA.glob("checkpoint-*")), ids=lambda at: at.name)
def kept(request, shared_kafka):
    made = Kept(request.param, shared_kafka.bootstrap)
    made.produce(made.lines)
    return made


@pytest.fixture
def upgraded(kept, make_daemon, directory):
    """A daemon, not started, and the directory with the kept checkpoint."""
    state = directory / "state"
    shutil.copytree(kept.path / "state", state)
    return make_daemon({**kept.settings, "checkpoint.dir": state}, topic=kept.topic), state


def test_it_loads_and_goes_on(kept, upgraded):
    daemon, state = upgraded
    done = program("freshet", "inspect", "--checkpoint", state)
    assert done.returncode == 0 and f"format     {kept.version}\n" in done.stdout, done
    daemon.start()
    settle(daemon, len(kept.lines) - len(kept.lines) // 2)
    assert f"checkpoint_loaded partition=0 offset={len(kept.lines) // 2} " in daemon.log_text()
    assert "features_new=0" in daemon.log_text()
    said = daemon.assert_equal("--as-of-raw")
    assert "equal" in said
    daemon.terminate()


def test_a_later_version_reads_it_and_this_one_refuses_what_that_wrote(kept, upgraded):
    daemon, state = upgraded
    present, daemon.program = daemon.program, BIN / "tests" / "freshetd_later"
    daemon.start()
    settle(daemon, len(kept.lines) - len(kept.lines) // 2)
    daemon.assert_equal("--as-of-raw")
    daemon.terminate()
    files = {path.name: path.read_bytes() for path in state.glob("*.checkpoint")}
    daemon.program = present
    daemon.launch()
    daemon.wait_end(status=70)
    assert "by a later version of freshet; this one reads up to" in daemon.log_text()
    assert "run that version, or take the checkpoint away" in daemon.log_text()
    assert files == {path.name: path.read_bytes() for path in state.glob("*.checkpoint")}
    done = program("freshet", "inspect", "--checkpoint", state)
    assert done.returncode == 65 and "by a later version of freshet" in done.stdout
    daemon.program = BIN / "tests" / "freshetd_later"
    daemon.start()
    settle(daemon, 0)
    daemon.assert_equal("--as-of-raw")
    daemon.terminate()


@pytest.mark.skipif(not os.environ.get("FRESHET_MAKE_CHECKPOINT"), reason="makes what is kept")
def test_make(kafka, make_daemon, directory):
    sys.path.insert(0, str(ORACLE))
    import disorder
    from settings import Settings
    version = int(os.environ["FRESHET_MAKE_CHECKPOINT"])
    path = directory / f"checkpoint-{version}"
    path.mkdir()
    shutil.copy(disorder.FEATURES["windows"], path / "features.ini")
    shutil.copy(ORACLE / "every.avsc", path / "event.avsc")
    values = {**disorder.BASE, **disorder.WORLDS[4]}
    stream = disorder.Stream(4, Settings({**values, "features.file": path / "features.ini"}))
    lines = [line for line in stream.lines(20 * LINES)
             if line["@partition"] == 0 and "@op" not in line][:LINES]
    with open(path / "log.jsonl", "w", encoding="utf-8") as file:
        for line in lines:
            line["@timestamp"] = line.get("@timestamp", disorder.START_MS)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    settings = {name: value for name, value in values.items() if name != "schema.reader"}
    (path / "settings.json").write_text(json.dumps(settings))
    made = Kept(path, kafka.bootstrap)
    daemon = make_daemon({**made.settings, "checkpoint.dir": path / "state"}, topic=made.topic)
    daemon.start()
    for section in ("event", "time", "session"):    # state depends on them, so also on defaults
        for line in daemon.control("CONFIG", "GET", f"{section}.*").splitlines():
            name, _, value = line.partition(" ")
            if value:
                settings[name] = value
    (path / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
    for begin, end in ((0, LINES // 2 - 5), (LINES // 2 - 5, LINES // 2)):
        made.produce(lines[begin:end])
        settle(daemon, end)
        assert daemon.control("CHECKPOINT") == "OK"
    daemon.kill9()
    (path / "state" / "lock").unlink()
    newest = max(path.joinpath("state").glob("*.checkpoint")).read_bytes()
    assert newest[8 + 1 + len(b"freshet")] == version
    shutil.copytree(path, DATA / path.name)
