"""The machine, the versions, the table and the JSON of a run of the suite."""
import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path

COLUMNS = [     # head, width, format of a result; "" where it has no such figure
    ("workload", -15, lambda r: r["name"]),
    ("B0 ns", 7, lambda r: f"{r['floor_ns']:.0f}"),
    ("ns", 7, lambda r: f"{r['ns']:.0f}"),
    ("x B0", 7, lambda r: f"{r['ratio']:.2f}"),
    ("from..to", 12, lambda r: "{:.2f}..{:.2f}".format(*r["spread"])),
    ("x ours", 8, lambda r: f"{r['times_freshetd']:.2f}"),
    ("<=", 5, lambda r: f"{r['target']:.1f}"),
    ("C", 6, lambda r: f"{r['C']:.2f}"),
    ("decay", 6, lambda r: f"{r['decay_per_event']:.2f}"),
    ("ckpt ns", 8, lambda r: f"{r['checkpoint_ns']:.0f}"),
    ("Redis us", 9, lambda r: f"{r['redis_us_per_row']:.2f}"),
    ("keys", 9, lambda r: f"{r['keys']}"),
    ("RSS MB", 7, lambda r: f"{r['rss_mb']:.0f}"),
    ("peak", 6, lambda r: f"{r['peak_mb']:.0f}"),
    ("  rows checked", -30, lambda r: "  " + r["check"]),
]


def first_match(pattern, path):
    found = re.search(pattern, Path(path).read_text())
    return found.group(1).strip() if found else "unknown"


def version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return "none"


def machine(binaries):
    """What a figure depends on beside the code."""
    return {
        "cpu": first_match(r"model name\s*:(.*)", "/proc/cpuinfo"),
        "cpus": os.cpu_count(),
        "memory_gb": round(int(first_match(r"MemTotal:\s*(\d+)", "/proc/meminfo")) / 1e6, 1),
        "kernel": platform.release(),
        "huge_pages": first_match(r"\[(\w+)\]", "/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_before": os.getloadavg()[0],
        "librdkafka": version("pkg-config", "--modversion", "rdkafka"),
        "hiredis": version("pkg-config", "--modversion", "hiredis"),
        "redis": version("redis-server", "--version").split(" ")[2].removeprefix("v="),
        "compiler": version("cc", "--version").splitlines()[0],
        "freshet": version(binaries / "freshetd", "--version"),
        "commit": version("git", "-C", Path(__file__).parent, "describe", "--always", "--dirty"),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cell(column, result):
    _, width, show = column
    try:
        text = show(result)
    except (KeyError, TypeError):
        text = ""
    return text.ljust(-width) if width < 0 else text.rjust(width)


def table(results):
    lines = ["".join(head.ljust(-w) if w < 0 else head.rjust(w) for head, w, _ in COLUMNS)]
    for result in results:
        ratios = [pair["ratio"] for pair in result.get("pairs", []) if "ratio" in pair]
        shown = {**result, "spread": (min(ratios), max(ratios)) if ratios else None}
        lines.append("".join(cell(column, shown) for column in COLUMNS).rstrip())
        lines += [f"    {line}" for line in notes(result)]
    return "\n".join(lines)


def notes(result):
    """Figures that only some workloads have."""
    if "void" in result:
        yield f"VOID: {result['void']}"
    if "levels" in result:
        yield "x B0: " + ", ".join(f"{k} {v:.2f}" for k, v in result["levels"].items())
    if "bytes_per_key" in result:
        yield (f"{result['bytes_per_key']:.0f} bytes a key resident, at the most "
               f"{result['peak_per_key']:.0f} while it grew, {result['state_per_key']:.0f} by the "
               "shard's own account; 9 of them are the key")
    for share, found in result.get("latency", {}).items():
        head = f"{share} of {result['rate']}/s: "
        yield head + ("every run was discarded" if not found else
                      f"p50 {found['p50']:.1f}, p99 {found['p99']:.1f}, p99.9 {found['p999']:.1f} "
                      f"ms, hiccups' p99.9 {found['hiccup_p999']:.1f} ms, {found['busy']:.0%} busy")
    if "overload" in result:
        found = result["overload"]
        yield (f"120 %: p99 {found['p99']:.0f} ms, caught up after {found['caught_up_s']:.1f} s, "
               f"{found['rss_before_mb']:.0f} MB before, {found['rss_after_mb']:.0f} after")
    if "redis_bytes_per_key" in result:
        yield (f"Redis: {result['redis_us_per_event']:.2f} us an event, "
               f"{result['redis_bytes_per_key']:.0f} bytes a key")
    if "drain" in result:
        found = result["drain"]
        yield (f"{found['rows']} rows of decay in {found['seconds']:.1f} s; meanwhile event rows "
               f"p50 {found['p50']:.1f}, p99 {found['p99']:.1f} ms" +
               (f" (does not count: {found['discarded']})" if found["discarded"] else ""))
    if "restart" in result:
        found = result["restart"]
        yield (f"restart: {found['state_gb']:.2f} GB of state from {found['checkpoint_gb']:.2f} GB "
               f"back after {found['loaded_s']:.2f} s, {found['loaded_s_per_gb']:.1f} s a GB; "
               f"first row after {found['first_row_s']:.2f} s; with {found['behind']} records "
               f"caught up after {found['caught_up_s']:.2f} s; {found['peak_mb']:.0f} MB at most")
        steps = result["steps"]
        yield (f"checkpoints beside {result['load_rate']}/s: CPU of a step p99 "
               f"{steps['cpu_p99']} us, p99.9 {steps['cpu_p999']} us; wall {steps['wall_p99']} and "
               f"{steps['wall_p999']} us")
    if result.get("checkpoint_ns") and "pairs" in result:
        bare = result["ns"] - result["checkpoint_ns"]
        yield f"checkpoints each 30 s: {result['checkpoint_ns'] / bare:+.1%} CPU"
    if "rows_per_key" in result:
        yield f"{result['events_per_s']:,.0f} events/s, {result['rows_per_key']:.2f} rows a key"
    if len(result.get("fates", {})) > 1:
        yield "fates: " + ", ".join(f"{k} {v}" for k, v in result["fates"].items())


def write_json(path, facts, results):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts, "results": results}, indent=1) + "\n")
