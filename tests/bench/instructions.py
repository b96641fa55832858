"""Instructions that each part of the hot path takes, counted by callgrind: the gate of the tests.

    tests/bench/run instructions            # beside the baseline
    tests/bench/run instructions --update   # the counts of now become the baseline: commit it

Only our own object's instructions count, not those of libraries, and only the measured part. They
are repeatable; they are not time. A baseline speaks of one compiler: under another one the counts
are shown, and are no gate.
"""
import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import stage
import workloads

BASELINE = Path(__file__).resolve().parent / "instructions.json"
ROUNDS = 3          # of 4096 operations
TOLERANCE = 0.02    # either way: a gain must be written down, too, or it can be lost again
TUNABLES = "glibc.cpu.hwcaps=-AVX2_Usable,-AVX512F_Usable,-ERMS"


def own_instructions(path, binary):
    """The instructions of one object's functions in a callgrind file with plain names."""
    total, ours, is_call = 0, False, False
    for line in path.read_text().splitlines():
        if line.startswith("ob="):
            ours = Path(line[3:]).resolve() == binary
        elif line.startswith("calls="):
            is_call = True      # the next line is the cost of the called one
        elif line[:1].isdigit():
            total += int(line.split()[1]) if ours and not is_call else 0
            is_call = False
    return total


def count(name):
    """Returns (instructions of an operation, compiler) of a row of PARTS."""
    os.environ["GLIBC_TUNABLES"] = TUNABLES
    with tempfile.TemporaryDirectory(prefix="freshet-bench.") as directory:
        out = Path(directory) / "callgrind.out"
        said = stage.run_part(name, ROUNDS, directory, (
            "valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
            "--toggle-collect=bench_measured", "--compress-strings=no", "--compress-pos=no",
            f"--callgrind-out-file={out}"))
        counted = own_instructions(out, (stage.BIN / "tests" / "bench_parts").resolve())
    return counted / said["operations"], f"{said['compiler']} {platform.machine()}"


def baseline():
    return json.loads(BASELINE.read_text())


def judge(name, now, stored):
    """None when the count is as it was, else what is to be said."""
    change = now / stored - 1
    if abs(change) <= TOLERANCE:
        return None
    return (f"{name}: {now:.1f} instructions instead of {stored:.1f} ({change:+.1%}). If that is "
            f"meant: tests/bench/run instructions --update, and commit {BASELINE.name}")


def main(words):
    parser = argparse.ArgumentParser(prog="tests/bench/run instructions")
    parser.add_argument("--update", action="store_true", help="store the counts of now")
    update = parser.parse_args(words).update
    counts, compiler = {}, None
    for name in workloads.PARTS:
        counts[name], compiler = count(name)
    stored = baseline() if BASELINE.exists() else {"compiler": None, "instructions": {}}
    same = compiler == stored["compiler"]
    print(f"compiler {compiler}" + ("" if same else f"; the baseline is of {stored['compiler']}, "
                                    "so that the change says little"))
    for name, now in counts.items():
        before = stored["instructions"].get(name)
        change = f"{before:>10.1f}{now / before - 1:>+9.1%}" if before else ""
        print(f"{name:<12}{now:>10.1f}{change}")
    if update:
        rounded = {name: round(now, 1) for name, now in counts.items()}
        BASELINE.write_text(json.dumps({"compiler": compiler, "instructions": rounded},
                                       indent=1) + "\n")
    return 0
