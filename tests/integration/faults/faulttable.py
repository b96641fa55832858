"""The results of fault runs: a line of JSON each, kept so that a long suite can go on with them."""
import json

from faultkinds import LOSSES
from harness import TREE

FILE = TREE / "build" / "fault-runs.jsonl"
ran = []     # by this process


def load():
    """Returns {number: result} of all runs, the newest of each."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return {result["run"]: result for result in map(json.loads, lines)}


def add(result):
    ran.append(result)
    with open(FILE, "a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def table(results):
    """Returns the lines of: fault, runs, equal, by store."""
    counts = {}
    for result in results:
        names = set(result["faults"])
        names |= {"loss of data in redis"} if names & set(LOSSES) else set()
        names |= {f"store {result['store']}", f"{result['daemons']} daemon(s)", "all"}
        for name in names:
            runs, equal = counts.get(name, (0, 0))
            counts[name] = (runs + 1, equal + result["equal"])
    return [f"{'fault':<28}{'runs':>8}{'equal':>8}",
            *(f"{name:<28}{runs:>8}{equal:>8}" for name, (runs, equal) in sorted(counts.items()))]
