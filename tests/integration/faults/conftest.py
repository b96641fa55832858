"""Fault runs: which of them, and the table at the end."""
import os

import faulttable

SHORT = 10


def pytest_generate_tests(metafunc):
    if "fault_run" in metafunc.fixturenames:
        count = int(os.environ.get("FRESHET_FAULT_RUNS") or 0)
        known = faulttable.load() if count else {}
        numbers = [number for number in range(count or SHORT)
                   if not known.get(number, {}).get("equal")]
        metafunc.parametrize("fault_run", numbers)


def pytest_terminal_summary(terminalreporter):
    long = os.environ.get("FRESHET_FAULT_RUNS")
    results = list(faulttable.load().values()) if long else faulttable.ran
    if results:
        terminalreporter.section("fault runs")
        for line in faulttable.table(results):
            terminalreporter.write_line(line)
