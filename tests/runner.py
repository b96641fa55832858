"""Builds freshet, runs its tests and counts their results; started by tests/run.

A part is a folder of tests/ (or one of NESTED) with test_*.c (cmocka, run by ctest under ASan and
UBSan), fuzz_*.c (their corpus is replayed by ctest) or test_*.py (pytest, with the release
binaries). All results are read from the JUnit files that ctest and pytest write, none is guessed.
What takes longer is a step of FULL: named like a part, or all of them by --full.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path(__file__).resolve().parent
TREE = TESTS.parent
CACHE = Path(os.environ.get("FRESHET_CACHE") or TREE / ".cache")
RESULTS = TREE / "build" / "results"
# Cheap parts first; a folder that is not named here comes last.
ORDER = ("unit", "tables", "sim", "fuzz", "tidy", "bench", "replay", "scenarios", "oracle",
         "deploy", "integration", "faults", "systemd")
NESTED = {"faults": TESTS / "integration" / "faults"}
# Packages of tests/install-packages beyond those that every part and step needs.
PACKAGES = {"integration": ["java", "tools"], "faults": ["java", "tools"],
            "systemd": ["systemd"], "deploy": ["tools"],
            "asan": ["java", "tools"], "tsan": ["java", "tools"], "clang": ["clang"],
            "libfuzzer": ["clang"], "bench": ["valgrind"]}
# The build whose programs a part's Python tests drive, where it is not release.
PRESETS = {"faults": "faults"}
DEBIAN13_PARTS = ("unit", "tables", "sim", "fuzz", "integration")   # where none is named
NO_PROGRAMS = {"oracle"}        # parts that test no program of ours
TEST_SECONDS = 600
SLOW_TEST_SECONDS = 2400        # with sanitizers
FULL_EVENTS = "1000000"
LONG_FAULT_RUNS = "200"
FUZZ_SECONDS = 600
COVERAGE_PERCENT = 90
SUPPRESSIONS = TESTS / "tsan.supp"
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"suppressions='{SUPPRESSIONS}':second_deadlock_stack=1",
}


class Tally:
    """Results, counted as they come in."""

    def __init__(self):
        self.rows = []          # (part, passed, failed, skipped, seconds)
        self.failed = []
        self.skipped = []

    def add(self, part, passed, failed, skipped, seconds):
        self.rows.append((part, passed, failed, skipped, seconds))

    def failure(self, part, what):
        """Counts one failure that no JUnit file knows of."""
        self.failed.append(f"{part}: {what}")
        self.add(part, 0, 1, 0, 0.0)

    def report(self):
        """Prints everything and returns the exit status."""
        print("\n" + "=" * 72)
        print(f"{'part':<24}{'passed':>10}{'failed':>10}{'skipped':>10}{'seconds':>12}")
        for part, passed, failed, skipped, seconds in self.rows:
            print(f"{part:<24}{passed:>10}{failed:>10}{skipped:>10}{seconds:>12.1f}")
        for line in self.skipped:
            print(f"skipped  {line}")
        for line in self.failed:
            print(f"FAILED   {line}")
        passed, failed, skipped = (sum(row[n] for row in self.rows) for n in (1, 2, 3))
        if passed + failed == 0:
            failed = 1
            print("FAILED   nothing was run")
        tail = f", {skipped} skipped" if skipped else ""
        print(f"{passed} passed, {failed} failed{tail}", flush=True)
        return 1 if failed else 0


def run(command, **options):
    """Runs a command from the top of the tree, its output shown; returns its exit status."""
    words = [str(word) for word in command]
    print("\n$ " + " ".join(words), flush=True)
    return subprocess.run(words, cwd=options.pop("cwd", TREE), check=False, **options).returncode


def install(groups, tally):
    """Installs groups of Debian packages; True when they are there."""
    good = run([TESTS / "install-packages", *dict.fromkeys(groups)]) == 0
    if not good:
        tally.failure("install", "packages are missing, see above")
    return good


def build(preset, tally):
    """Configures and builds a preset; True when that went well."""
    configure = ["cmake", "--preset", preset]
    for version in ("14", "19"):    # the presets say 14, Debian 13 has 19
        if preset in ("clang", "fuzz") and shutil.which(f"clang-{version}"):
            configure += [f"-DCMAKE_C_COMPILER=clang-{version}",
                          f"-DCMAKE_CXX_COMPILER=clang++-{version}"]
            break
    for command in (configure, ["cmake", "--build", "--preset", preset]):
        if run(command) != 0:
            tally.failure(f"build {preset}", "does not build, see above")
            return False
    return True


def python_environment():
    """Returns the Python of a virtual environment with the pinned packages of all parts."""
    wanted = sorted(TESTS.glob("*/requirements.txt"))
    text = sys.version + "".join(path.read_text() for path in wanted)
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    venv = CACHE / f"venv-{mark}"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        shutil.rmtree(venv, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        files = [word for path in wanted for word in ("-r", path)]
        commands = ([sys.executable, "-m", "venv", venv],
                    [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *files])
        for command in commands:
            if run(command) != 0:
                return None
        (venv / "complete").touch()
    return python


def cmocka_counts(text, passed_as_a_whole):
    """Returns (passed, failed, skipped) of one test program from what cmocka printed."""
    counts = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    pattern = r"^\[  (PASSED|FAILED|SKIPPED)\s*\] (?:tests: )?(\d+) test\(s\)"
    for word, number in re.findall(pattern, text or "", re.MULTILINE):
        counts[word] += int(number)
    if passed_as_a_whole:
        # A program without cmocka's summary is one test; skipped ones count among the passed.
        return max(counts["PASSED"], 1), counts["FAILED"], counts["SKIPPED"]
    return counts["PASSED"], max(counts["FAILED"], 1), counts["SKIPPED"]


def ctest(part, preset, names, tally, environment=None):
    """Runs the given tests of a built preset and counts them."""
    junit = RESULTS / f"{part.replace(' ', '-')}-ctest.xml"
    junit.unlink(missing_ok=True)
    began = time.monotonic()
    pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
    run(["ctest", "--test-dir", TREE / "build" / preset, "-R", pattern, "--output-on-failure",
         "--timeout", TEST_SECONDS, "--output-junit", junit, "-j", os.cpu_count() or 1,
         "--test-output-size-passed", 10_000_000, "--test-output-size-failed", 10_000_000],
        env={**os.environ, **SANITIZERS, **(environment or {})})
    if not junit.exists():
        tally.failure(part, "ctest wrote no result")
        return
    totals, seen = [0, 0, 0], set()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = case.get("name")
        seen.add(name)
        if case.get("status") in ("disabled", "notrun") or case.find("skipped") is not None:
            tally.failed.append(f"{part}: {name} was not run")
            totals[1] += 1
            continue
        good = case.get("status") == "run" and case.find("failure") is None
        counts = cmocka_counts(case.findtext("system-out"), good)
        totals = [a + b for a, b in zip(totals, counts)]
        if not good:
            tally.failed.append(f"{part}: {name}")
        if counts[2]:
            tally.skipped.append(f"{part}: {counts[2]} in {name}, its output says why")
    for name in sorted(set(names) - seen):
        tally.failed.append(f"{part}: {name} is not known to ctest")
        totals[1] += 1
    tally.add(part, *totals, time.monotonic() - began)


def pytest(part, paths, tally, environment=None):
    """Runs pytest on files or folders, without the parts nested in them, and counts."""
    words = [f"--ignore={place}" for place in NESTED.values() if place not in paths]
    python = python_environment()
    if python is None:
        tally.failure(part, "no Python environment, see above")
        return
    junit = RESULTS / f"{part.replace(' ', '-')}-pytest.xml"
    junit.unlink(missing_ok=True)
    environment = environment or {}
    seconds = SLOW_TEST_SECONDS if "FRESHET_SLOW_BUILD" in environment else TEST_SECONDS
    began = time.monotonic()
    status = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5",
                  "--timeout", seconds, f"--junitxml={junit}", *words, *paths],
                 env={**os.environ, **SANITIZERS, **environment})
    totals = [0, 0, 0]
    if junit.exists():
        for case in ElementTree.parse(junit).getroot().iter("testcase"):
            name = f"{part}: {case.get('classname')}.{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                totals[1] += 1
                tally.failed.append(name)
            elif skipped is not None:
                totals[2] += 1
                tally.skipped.append(f"{name}: {skipped.get('message')}")
            else:
                totals[0] += 1
    tally.add(part, *totals, time.monotonic() - began)
    if status not in (0, 1) or (status == 1 and totals[1] == 0):
        tally.failure(part, f"pytest ended with status {status}")


def place_of(part):
    return NESTED.get(part, TESTS / part)


def programs(part):
    """Returns the names of the C tests of a part."""
    patterns = ("test_*.c", "fuzz_*.c")
    return sorted(path.stem for pattern in patterns for path in place_of(part).glob(pattern))


def in_python(part):
    return bool(list(place_of(part).glob("test_*.py")))


def mutants():
    """Returns the names of the cores with a planted mistake, which the simulation must catch."""
    text = (TESTS / "sim" / "mutants.cmake").read_text()
    return [f"mutant_{name}" for name in re.findall(r"^mutant\(\w+ (\w+)", text, re.MULTILINE)]


def parts():
    """Returns the names of all parts, in the order in which they are run."""
    names = [*(path.name for path in TESTS.iterdir()), *NESTED]
    found = [name for name in names if programs(name) or in_python(name)]
    known = [name for name in ORDER if name in found]
    return known + sorted(set(found) - set(known))


def run_parts(chosen, options, tally):
    """The ordinary run."""
    with_c = [part for part in chosen if programs(part)]
    with_python = [part for part in chosen if in_python(part)]
    asan = not with_c or build("asan", tally)
    built = {part: "release" for part in with_python if part not in NO_PROGRAMS}
    presets = {*built.values(), *(PRESETS[part] for part in built if part in PRESETS)}
    good = {preset: build(preset, tally) for preset in sorted(presets)}
    for part in with_c:
        if asan:
            ctest(part, "asan", programs(part), tally)
    if asan and "sim" in with_c:
        ctest("sim mutants", "asan", mutants(), tally)
    environment = {"FRESHET_CACHE": str(CACHE), "FRESHET_KEEP": "1" if options.keep else ""}
    if options.long:
        environment["FRESHET_FAULT_RUNS"] = LONG_FAULT_RUNS
    if options.full:
        environment["FRESHET_EVENTS"] = os.environ.get("FRESHET_EVENTS", FULL_EVENTS)
    for part in with_python:
        preset = PRESETS.get(part, "release")
        if part in NO_PROGRAMS or good[preset]:
            pytest(part, [place_of(part)], tally,
                   {"FRESHET_BIN_DIR": str(TREE / "build" / preset), **environment})


def every_program():
    return [name for part in parts() for name in programs(part)]


def full_asan(tally):
    if build("asan", tally):
        pytest("asan integration", [TESTS / "integration"], tally,
               {"FRESHET_BIN_DIR": str(TREE / "build" / "asan"), "FRESHET_SLOW_BUILD": "asan"})


def full_tsan(tally):
    if not build("tsan", tally):
        return
    began = time.monotonic()
    planted = TREE / "build" / "tsan" / "planted_race"
    source = TESTS / "planted_race.c"
    built = run(["cc", "-g", "-fsanitize=thread", "-pthread", source, "-o", planted]) == 0
    caught = built and run([planted], env={**os.environ, **SANITIZERS}) == 66
    if not caught:
        tally.failed.append("tsan: the planted race was not caught")
    tally.add("tsan planted race", int(caught), int(not caught), 0, time.monotonic() - began)
    ctest("tsan", "tsan", every_program(), tally)
    pytest("tsan integration", [TESTS / "integration" / "test_first_path.py"], tally,
           {"FRESHET_BIN_DIR": str(TREE / "build" / "tsan"), "FRESHET_SLOW_BUILD": "tsan"})


def full_coverage(tally):
    if not build("coverage", tally):
        return
    for old in (TREE / "build" / "coverage").rglob("*.gcda"):
        old.unlink()
    ctest("coverage", "coverage", every_program(), tally)
    python = python_environment()
    began = time.monotonic()
    bad = python is None or run(
        [python, "-m", "gcovr", "--root", TREE, "--filter", "src/core/", "--filter", "src/codec/",
         "--exclude-unreachable-branches", "--fail-under-line", COVERAGE_PERCENT,
         "--print-summary", TREE / "build" / "coverage"])
    if bad:
        tally.failed.append(f"coverage: core and codec below {COVERAGE_PERCENT} % of lines")
    tally.add("coverage of lines", int(not bad), int(bool(bad)), 0, time.monotonic() - began)


def full_fuzz(tally):
    if not build("fuzz", tally):
        return
    seconds = os.environ.get("FRESHET_FUZZ_SECONDS", FUZZ_SECONDS)
    for name in programs("fuzz"):
        began = time.monotonic()
        work = TREE / "build" / "fuzz" / f"{name}.corpus"
        work.mkdir(exist_ok=True)
        status = run([TREE / "build" / "fuzz" / "tests" / name, f"-max_total_time={seconds}",
                      "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", work,
                      TESTS / "fuzz" / "corpus" / name.removeprefix("fuzz_")], cwd=work.parent)
        if status:
            tally.failed.append(f"fuzz: {name} found something, see above")
        tally.add(f"{name} {seconds} s", int(not status), int(bool(status)), 0,
                  time.monotonic() - began)


def full_clang(tally):
    """Warnings of clang are errors too."""
    if build("clang", tally):
        tally.add("build by clang", 1, 0, 0, 0.0)


FULL = {"clang": full_clang, "coverage": full_coverage, "asan": full_asan, "tsan": full_tsan,
        "libfuzzer": full_fuzz}


def debian13(tally, words):
    """Runs itself with these words in a Debian 13 chroot and adds what is reported there."""
    if not install(["chroot"], tally):
        return
    began = time.monotonic()
    with subprocess.Popen([TESTS / "debian13", *words], stdout=subprocess.PIPE, text=True,
                          cwd=TREE) as child:
        last = ""
        for line in child.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", last)
    if not counts:
        tally.failure("debian13", "the run in the chroot did not end with its counts")
        return
    passed, failed, skipped = (int(number or 0) for number in counts.groups())
    if failed:
        tally.failed.append("debian13: see above")
    tally.add("debian13", passed, failed, skipped, time.monotonic() - began)


def main():
    known = parts()
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds and tests freshet.")
    parser.add_argument("part", nargs="*",
                        help="parts to run: " + ", ".join(known) + "; or steps of --full: " +
                             ", ".join(FULL))
    parser.add_argument("--full", action="store_true",
                        help="also: a million events, a build by clang, coverage, ASan and TSan on "
                             "integration, ten minutes of each fuzz target")
    parser.add_argument("--long", action="store_true",
                        help=f"{LONG_FAULT_RUNS} fault runs instead of a few; goes on where it "
                             "was ended (build/fault-runs.jsonl)")
    parser.add_argument("--debian13", action="store_true",
                        help="run in a Debian 13 chroot (root only), by the same parts and options")
    parser.add_argument("--keep", action="store_true", help="keep directories and logs of servers")
    options = parser.parse_args()
    for part in options.part:
        if part not in known and part not in FULL:
            parser.error(f"no part '{part}'; there are {', '.join([*known, *FULL])}")
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    tally = Tally()
    if options.debian13:
        flags = [f"--{name}" for name in ("full", "long", "keep") if getattr(options, name)]
        debian13(tally, [*(options.part or DEBIAN13_PARTS), *flags])
        return tally.report()
    chosen = [part for part in options.part or known if part in known]
    steps = [name for name in FULL if options.full or name in options.part]
    groups = [group for name in chosen + steps for group in PACKAGES.get(name, [])]
    if not install(["build", "redis", "python", *groups], tally):
        return tally.report()
    if chosen:
        run_parts(chosen, options, tally)
    for name in steps:
        FULL[name](tally)
    return tally.report()


if __name__ == "__main__":
    sys.exit(main())
