#!/usr/bin/env python3
"""Runs inside the booted container: drives freshetd.service, writes its results as JSON lines."""
import json
import os
import re
import subprocess
import time
from pathlib import Path

OUT = Path("/var/log/proof/results")
UNIT = "freshetd.service"
SOCKET = "/run/freshet/control.sock"


def run(*words, timeout=90):
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout + done.stderr


def result(name, good, note=""):
    with OUT.open("a") as out:
        out.write(json.dumps({"name": name, "good": bool(good), "note": str(note)[-3000:]}) + "\n")


def show(name, unit=UNIT):
    return run("systemctl", "show", "-P", name, unit)[1].strip()


def wait(test, seconds):
    deadline = time.monotonic() + seconds
    while not test() and time.monotonic() < deadline:
        time.sleep(0.1)
    return test()


def journal():
    return run("journalctl", "-q", "-o", "short", "-u", UNIT)[1]


def metric(name):
    text = run("redis-cli", "-s", SOCKET, "METRICS")[1]
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M))


def check_files():
    units = [path for path in ("freshetd.service", "freshetd@.service")
             if Path("/usr/lib/systemd/system", path).exists()]
    for unit in units:
        name = unit.replace("@", "@one")
        _, said = run("systemd-analyze", "verify", f"/usr/lib/systemd/system/{name}")
        result(f"verify {unit}", not said.strip(), said)
    for kind in ("sysusers", "tmpfiles"):
        files = [str(path) for path in Path(f"/usr/lib/{kind}.d").glob("*freshet*")]
        word = "--create" if kind == "tmpfiles" else "--dry-run"
        status, said = run(f"systemd-{kind}", word, *files)
        result(f"{kind}.d", files and status == 0, f"{files} {said}")


def check_start():
    began = time.monotonic()
    status, said = run("systemctl", "start", UNIT)
    took = time.monotonic() - began
    result("start returns after READY", status == 0 and show("ActiveState") == "active",
           f"{status} {said} {took:.2f} s\n{journal()}")
    result("type is notify", show("Type") == "notify")
    good = wait(lambda: metric("freshet_rows_total") > 0, 30)
    result("rows are written", good, journal())
    result("status text is useful", len(show("StatusText")) > 10, show("StatusText"))
    _, said = run("freshetctl", "status")
    result("freshetctl finds its socket", "assigned" in said.lower() or "lag" in said.lower(), said)
    status, said = run("freshetctl", "health")
    result("freshetctl health", status == 0, said)


def check_sandbox():
    pid = show("MainPID")
    facts = dict(line.split(":\t", 1) for line in
                 Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    uid = int(facts["Uid"].split()[0])
    result("DynamicUser", 61184 <= uid <= 65519, facts["Uid"])
    result("no capability", all(int(facts[name], 16) == 0
                                for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")), facts)
    result("NoNewPrivs", facts["NoNewPrivs"] == "1")
    result("seccomp filter", facts["Seccomp"] == "2")
    mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    places = {line.split()[4]: line.split()[5].split(",") for line in mounts}
    result("file system is read-only", all("ro" in places.get(place, ["ro"])
                                           for place in ("/", "/usr", "/etc")), places)
    # setpriv keeps what the unit gave: a write from inside must fail, in the state it may.
    enter = ("nsenter", "-t", pid, "-m", "-S", str(uid), "-G", str(uid), "--")
    status, _ = run(*enter, "/usr/bin/touch", "/etc/written")
    result("cannot write to /etc", status != 0)
    status, said = run(*enter, "/usr/bin/touch", "/var/lib/freshet/written")
    result("can write its state", status == 0, said)
    result("cannot see homes", run(*enter, "/usr/bin/ls", "/root")[0] != 0)


def check_reload():
    status, said = run("systemctl", "reload", UNIT)
    result("reload", status == 0 and show("ActiveState") == "active", said)
    result("reload is logged", wait(lambda: "reload" in journal().lower(), 5), journal())


def check_watchdog():
    before = show("MainPID")
    os.kill(int(before), 19)         # the loop stands still
    good = wait(lambda: show("NRestarts") == "1" and show("ActiveState") == "active", 30)
    result("watchdog kills a stopped loop", "atchdog timeout" in journal(), journal())
    result("systemd starts it again", good and show("MainPID") not in (before, "0"),
           f"{show('NRestarts')} {show('ActiveState')} {show('Result')}\n{journal()}")
    time.sleep(4)
    result("a live loop feeds the watchdog", show("NRestarts") == "1", journal())


def check_stop():
    wait(lambda: metric("freshet_rows_total") > 0 and not metric("freshet_consumer_lag"), 30)
    began = time.monotonic()
    status, said = run("systemctl", "stop", UNIT)
    result("stop", status == 0 and show("Result") == "success",
           f"{said} {show('Result')} {time.monotonic() - began:.1f} s\n{journal()}")
    result("stop drains", "drain" in journal().lower(), journal())


def check_bad_configuration():
    Path("/etc/freshet/freshet.ini").write_text("[session]\ngap = never\n")
    status, _ = run("systemctl", "start", UNIT)
    time.sleep(2)
    result("wrong configuration fails", status != 0 and show("ExecMainStatus") == "78",
           f"{show('ExecMainStatus')} {show('Result')}")
    result("and is not tried again and again", show("ActiveState") == "failed",
           f"{show('ActiveState')} {show('NRestarts')}")


def main():
    for check in (check_files, check_start, check_sandbox, check_reload, check_watchdog,
                  check_stop, check_bad_configuration):
        try:
            check()
        except Exception as error:      # the next check may still have something to say
            result(check.__name__, False, repr(error))
    result("ran to the end", True)


if __name__ == "__main__":
    main()
