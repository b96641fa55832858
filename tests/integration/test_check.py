"""Wrong configuration, features and schemas: every error at once, with file and line; exit 78."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("FRESHET_BIN_DIR") or TREE / "build" / "release")


def run(*command, cwd=None, env=None):
    """Runs a program of ours; the environment has no FRESHET_ variable but those of env."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith("FRESHET_") and name != "CREDENTIALS_DIRECTORY"}
    return subprocess.run([BIN / command[0], *command[1:]], cwd=cwd, env={**clean, **(env or {})},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.fixture
def place(tmp_path):
    """A directory with the sample configuration and the files it names."""
    for path in (TREE / "schemas").iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    shutil.copy(TREE / "deploy" / "freshet.ini", tmp_path)
    return tmp_path


def test_the_sample_is_valid(place):
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("configuration is valid: freshet.ini\n")
    for word in ("topic      clicks at 127.0.0.1:9092, group freshet", "framing confluent",
                 "event      key user_id, time event_time", "of features.ini, version "):
        assert word in done.stdout


def test_the_workbench_checks_alike(place):
    ours = run("freshet", "check", "freshet.ini", cwd=place)
    theirs = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    (place / "freshet.ini").write_text("[kafak]\n")
    ours = run("freshet", "check", "freshet.ini", cwd=place)
    theirs = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
    assert ours.returncode == 78


def test_one_wrong_file_does_not_hide_another(place):
    (place / "click.avsc").write_text("{")
    (place / "features.ini").write_text("[feature clicks]\nop count\n")
    (place / "freshet.ini").write_text(
        "[schema]\nreader = click.avsc\nframing = xml\nregistry = http://ada:pw@cache\n"
        "[features]\nfile = features.ini\n[redis]\nkey = u\n")
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    for said in ("click.avsc:1", "features.ini:2: neither", "freshet.ini:3: schema.framing",
                 "freshet.ini:4: schema.registry: has a user",
                 "freshet.ini:8: redis.key: \"u\" must"):
        assert said in done.stderr
    assert "pw@" not in done.stderr
    (place / "features.ini").unlink()
    assert "features.ini: cannot be read" in run("freshetd", "--check", "-c", "freshet.ini",
                                                 cwd=place).stderr


WRONG = """\
topic = clicks
[kafka]
topic = my clicks
session.timeout.ms = soon
topic = other
[kafak]
[session]
gap = -1
latness = 5s
cut_every = 7h
[schema]
reader = click.avsc
framing = raw
[features]
file = features.ini
[event]
key = userid
time = event_type
where = event_type == "click" and price
[redis]
url = redis://user:pass@cache/0
password = ${env:NOT_SET}
ttl = 1h
key = rows
flush_keys = 0
[http]
listen = everywhere
[log
"""

WRONG_FEATURES = """\
[feature clicks]
op = count
where = event_tpye == "click"
over = 5m

[feature amount]
op = sum(event_type)
over = session

[feature what]
op = average(price)
over = 5 minutes

[feature clicks]
op = count
over = 1h
"""


def test_all_errors_of_both_files_at_once(place):
    (place / "freshet.ini").write_text(WRONG)
    (place / "features.ini").write_text(WRONG_FEATURES)
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    places = [":".join(line.split(":")[:2]) for line in lines]
    assert places == [f"freshet.ini:{number}" for number in (
        1, 3, 4, 5, 6, 8, 9, 10, 17, 18, 19, 21, 22, 24, 25, 27, 28)] + [
        f"features.ini:{number}" for number in (3, 7, 11, 12, 14)]
    said = dict(zip(places, lines))
    for where, words in {
            "freshet.ini:1": "before the first section (put a [section] above it)",
            "freshet.ini:5": "topic stands twice in [kafka] (first in line 3; remove one)",
            "freshet.ini:6": "unknown section [kafak] (did you mean [kafka]?)",
            "freshet.ini:9": "unknown key latness in [session] (did you mean lateness?)",
            "freshet.ini:21": "redis.password",
            "freshet.ini:22": "redis.password: environment variable NOT_SET is not set (set it)",
            "freshet.ini:25": "redis.flush_keys: 0 is too small (at least 1, at most 1000000)",
            "freshet.ini:28": "section header without ] (write [section])"}.items():
        assert words in said[where]
    assert "user_id" in said["freshet.ini:17"]      # what it was meant to be
    assert "freshet.ini:19:" in said["freshet.ini:19"]
    assert "event_type" in said["features.ini:3"]
    assert said["features.ini:3"].startswith("features.ini:3:9:")       # with the column
    assert "pass" not in said["freshet.ini:21"].replace("password", "")


def test_the_daemon_refuses_to_start_alike(place):
    (place / "freshet.ini").write_text(WRONG)
    done = run("freshetd", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    for number in (1, 3, 6, 28):
        assert f"freshet.ini:{number}:" in done.stderr


def test_files_that_are_not_there(place):
    done = run("freshetd", "--check", "-c", "/nowhere/freshet.ini")
    assert done.returncode == 78
    assert done.stderr == ("/nowhere/freshet.ini: cannot be read: No such file or directory "
                           "(give a file that can)\n")
    (place / "features.ini").unlink()
    (place / "click.avsc").unlink()
    done = run("freshetd", "--check", "-c", place / "freshet.ini")
    assert done.returncode == 78
    assert "freshet.ini:" in done.stderr and "click.avsc cannot be read" in done.stderr


def test_a_broken_reader_schema_is_told_by_line(place):
    (place / "click.avsc").write_text('{\n "type": "record",\n "name": "Click", oops\n}\n')
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    assert done.stderr.startswith("click.avsc:3:")


def test_writers_that_do_not_fit_the_reader(place):
    (place / "w.avsc").write_text('{"type": "record", "name": "Click", "fields": []}')
    text = (place / "freshet.ini").read_text()
    (place / "freshet.ini").write_text(
        text.replace("#framing = confluent", "framing = raw").replace("#writer =",
                                                                     "writer = w.avsc"))
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    assert "schema.writer: w.avsc does not fit schema.reader: " in done.stderr


def test_ttl_below_reach_is_refused(place):
    text = (place / "freshet.ini").read_text()
    (place / "freshet.ini").write_text(text.replace("#ttl = 0", "ttl = 30d"))
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    assert "redis.ttl: is less than the reach of the features" in done.stderr
    assert "write at least 30d12h, or 0" in done.stderr


def test_the_environment_has_the_last_word(place):
    env = {"FRESHET_REDIS_PREFIX": "shadow:", "FRESHET_KAFKA_TOPIC": "other",
           "FRESHET_KAFKA_CLIENT_ID": "me"}
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place, env=env)
    assert done.returncode == 0
    assert "keys shadow:features:{key}" in done.stdout
    assert "topic      other" in done.stdout
    done = run("freshetd", "--dump", "config", "-c", "freshet.ini", "--format", "json", cwd=place,
               env=env)
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["redis.prefix"]["value"] == "shadow:"
    assert rows["redis.prefix"]["from"] == "FRESHET_REDIS_PREFIX"
    assert rows["kafka.client.id"]["value"] == "me"
    assert rows["session.gap"]["from"] == "default"
    assert rows["features.file"]["from"].startswith("freshet.ini:")
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place,
               env={"FRESHET_SESSION_GAP": "soon"})
    assert done.returncode == 78
    assert done.stderr.startswith("FRESHET_SESSION_GAP: session.gap: \"soon\" is not a duration")


def test_secrets_are_masked(place):
    (place / "password").write_text("s3cret-one\n")
    credentials = place / "credentials"
    credentials.mkdir()
    (credentials / "registry").write_text("s3cret-two")
    text = (place / "freshet.ini").read_text()
    text = text.replace("#password =", "password = ${file:password}")
    text = text.replace("#registry_user =", "registry_user = me")
    text = text.replace("#registry_password =", "registry_password = ${cred:registry}")
    text = text.replace("[kafka]\n", "[kafka]\nsecurity.protocol = SASL_SSL\n"
                        "sasl.mechanism = PLAIN\nsasl.username = me\n"
                        "sasl.password = ${env:KAFKA_PASSWORD}\n")
    (place / "freshet.ini").write_text(text)
    env = {"KAFKA_PASSWORD": "s3cret-three", "CREDENTIALS_DIRECTORY": str(credentials)}
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    for form in ("text", "md", "json", "ini"):
        done = run("freshetd", "--dump", "config", "-c", "freshet.ini", "--format", form,
                   cwd=place, env=env)
        assert done.returncode == 0
        assert done.stdout.count("********") == 3
        shown += done.stdout + done.stderr
    assert "s3cret" not in shown


def test_a_credential_without_systemd(place):
    text = (place / "freshet.ini").read_text()
    (place / "freshet.ini").write_text(text.replace("#password =", "password = ${cred:redis}"))
    done = run("freshetd", "--check", "-c", "freshet.ini", cwd=place)
    assert done.returncode == 78
    assert "LoadCredential=redis:" in done.stderr


@pytest.mark.parametrize("name", ["config", "operators", "metrics", "control", "fates",
                                  "rebalances"])
def test_dumps(name):
    rows = json.loads(run("freshetd", "--dump", name, "--format", "json").stdout)
    assert len(rows) > 10
    table = run("freshetd", "--dump", name, "--format", "md").stdout.splitlines()
    assert len(table) == len(rows) + 2
    assert all(line.startswith("| ") and line.endswith(" |") for line in table[2:])
    for row in rows:
        assert row["meaning"].endswith(".")
    text = run("freshetd", "--dump", name).stdout
    assert all(next(iter(row.values())) in text for row in rows)


def test_dump_of_features(place):
    with open(place / "features.ini", "a", encoding="utf-8") as file:
        file.write("[feature spent]\nop = sum(price)\nover = 1h\ndefault = -1.5\n")
    done = run("freshetd", "--dump", "features", "-c", "freshet.ini", "--format", "json",
               cwd=place)
    rows = {row["feature"]: row for row in json.loads(done.stdout)}
    assert rows["clicks_5m"] == {
        "feature": "clicks_5m", "type": "long", "operator": "count", "argument": "", "over": "5m",
        "hop": "5s", "on": "", "by": "", "default": "", "where": 'event_type == "click"'}
    assert rows["spent"]["default"] == "-1.5"
    assert rows["last_items"]["type"] == "list of string"
    assert rows["ctr_24h"]["argument"] == "clicks_24h, impressions_24h, 1, 20"


@pytest.mark.parametrize("arguments, words", [
    (["--dump", "all"], "write config, features,"),
    (["--dump", "fates", "--format", "xml"], "write text, md, json, man, ini or avsc"),
    (["--dump", "fates", "--format", "avsc"], "only --dump features"),
    (["--dump", "fates", "--format", "ini"], "only --dump config"),
    (["--dump", "features"], "needs a configuration"),
    (["--online"], "--online needs --check"),
    (["--check", "--sample", "9"], "--sample needs"),
    (["--check", "--online", "--sample", "0"], "write a number"),
    (["stray"], "stray is not expected"),
])
def test_wrong_command_lines(arguments, words):
    done = run("freshetd", *arguments)
    assert done.returncode == 64
    assert words in done.stderr


def test_what_the_workbench_says_of_itself():
    assert run("freshet", "--version").stdout.startswith("freshet ")
    assert "decode" in run("freshet", "--help").stdout
    assert run("freshet").returncode == 64
    done = run("freshet", "dance")
    assert done.returncode == 64 and "no command dance" in done.stderr
