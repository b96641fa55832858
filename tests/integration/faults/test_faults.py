"""Whatever fails, and whoever comes back: in the end Redis equals a recomputation of the log."""
import os
import shutil
import time

import faulttable
import pytest
from faultkinds import FIRST
from faultrun import FaultRun
from harness import TREE


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_run(fault_run, request, directory, shim):
    of_three = FIRST[fault_run % len(FIRST)] == "leader change"
    kafka = request.getfixturevalue("cluster" if of_three else "kafka")
    run = FaultRun(fault_run, kafka, directory, shim)
    began = time.monotonic()
    equal = False
    try:
        run.go()
        equal = True
    finally:
        if not equal:
            kept = TREE / "build" / "fault-failures" / str(fault_run)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("*.sock"),
                            ignore_dangling_symlinks=True)
        result = {"run": fault_run, "store": run.store, "daemons": len(run.daemons),
                  "plan": run.plan, "faults": run.done, "equal": equal,
                  "seconds": round(time.monotonic() - began, 1)}
        faulttable.add(result)
