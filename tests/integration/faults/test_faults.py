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
    problem = None
    try:
        run.go()
    except KeyboardInterrupt:
        raise       # ended by somebody: it will be run again
    except BaseException as error:
        problem = error
        kept = TREE / "build" / "fault-failures" / str(fault_run)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("*.sock"),
                        ignore_dangling_symlinks=True)
    faulttable.add({"run": fault_run, "store": run.store, "daemons": len(run.daemons),
                    "plan": run.plan, "faults": run.done, "equal": problem is None,
                    "seconds": round(time.monotonic() - began, 1)})
    if problem:
        raise problem
