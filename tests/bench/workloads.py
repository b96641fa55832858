"""The table of workloads: what is measured, on which clicks, with which features and settings.

A row is all there is to know of a workload; `kind` names the function of kinds.py that runs it.
Clicks have 15 fields and 190 to 200 bytes; users are drawn record for record (uniform, or Zipf).
"""
from dataclasses import dataclass, field
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    sentence: str
    kind: str = "stream"
    users: int = 1_000_000
    zipf: float = 0                 # exponent; 0: all users alike
    fill: int = 2_000_000           # records before the first that is measured
    events: int = 1_000_000         # records of each measured run
    span_s: int = 120               # event time that those take
    rate: int = 0                   # they are made while they are read, so many a second; 0: before
    out_of_order: float = 0
    late: float = 0
    thinking: str = "0"             # mean time between clicks of a visit; 0: users alternate
    partitions: int = 2
    compression: str = "lz4"
    features: str = "session"       # of FEATURES
    settings: dict = field(default_factory=dict)    # freshet.ini over ours: "section.key"
    target: float | None = None     # the ratio to B0 (bytes of memory) must not be greater


def windows(count, operators=("count",)):
    """Features over `count` windows from five minutes to half a year, by each operator."""
    spans = ["5m", "1h", "6h", "1d", "7d", "30d", "10m", "30m", "3h", "12h", "3d", "14d"][:count]
    text = "[feature session_events]\nop = session_event_count\n"
    for span in spans:
        for operator in operators:
            call = operator if operator == "count" else f"{operator}(price)"
            text += f"[feature {operator}_{span}]\nop = {call}\nover = {span}\n"
    return text


SESSION = """[feature session_events]
op = session_event_count
[feature session_value]
op = sum(price)
over = session
[feature last_item]
op = last(item_id)
where = item_id is not null
over = session
"""

# None: schemas/features.ini as it is shipped.
FEATURES = {
    "counts": "[feature session_events]\nop = session_event_count\n",
    "session": SESSION,
    "probe": SESSION + "[feature probe]\nop = last(price)\nover = session\n",
    "drain": SESSION + "[feature probe]\nop = last(price)\nover = session\n"
             "[feature clicks_2m]\nop = count\nover = 2m\n",
    "windows-1": windows(1),
    "windows-6": windows(6),
    "windows-12x5": windows(12, ("count", "sum", "mean", "min", "max")),
    "shipped": None,
}

# Parts of the hot path by themselves: name -> (part of bench_parts.c, features).
PARTS = {
    "decode": ("decode", "session"),
    "table": ("table", "session"),
    "core": ("core", "session"),
    "windows": ("core", "windows-6"),
    "row": ("row", "session"),
    "resp": ("resp", "session"),
    "checkpoint": ("checkpoint", "session"),
}

PACKED = {"redis.layout": "packed"}
WHOLE = {"redis.delta_memory": "0"}     # no deltas
# A static member comes back at once; another waits until the session of the killed one is over.
RESTART = {"kafka.group.instance.id": "bench"}

# 36 days before the first record that is measured, in which a user makes an event in two days; and
# a flush spans half an hour of event time. Faster, days pass in a flush, and decay is not seen.
SHIPPED = {"features": "shipped", "users": 200_000, "fill": 3_600_000, "events": 250_000,
           "span_s": 216_000, "rate": 20_000, "thinking": "15s"}

WORKLOADS = [
    Workload("bounds", "B0 to B5: what reading, decoding, a table, rows and Redis cost at least.",
             kind="bounds"),
    Workload("parts", "Decode, table, core, windows, row, RESP writer and checkpoint, in cache; "
             "and the core with more users than any cache holds.",
             kind="parts", fill=1_000_000),
    Workload("memory-session", "Bytes a live session, with counts.", kind="memory",
             features="counts", target=96),
    Workload("memory-windows", "The same with six windows of one event each.", kind="memory",
             features="windows-6", target=256),
    Workload("every-event", "Session and three features, one million users, all alike, at a rate "
             "that Redis follows: every event makes a row.", rate=40_000, events=400_000,
             span_s=48, target=2.6),
    Workload("uniform-1m", "The same as fast as can be: rows wait for Redis, and coalesce."),
    Workload("uniform-10m", "The same with ten million users.", users=10_000_000,
             fill=20_000_000),
    Workload("uniform-100k", "The same with a hundred thousand.", users=100_000, fill=200_000),
    Workload("zipf-0.99", "Users as unequal as in most shops; sessions end and begin.", zipf=0.99,
             span_s=1800, target=2.0),
    Workload("zipf-1.2", "Users very unequal: one makes a fifth of the events.", zipf=1.2,
             span_s=1800, target=2.0),
    Workload("visits", "Users click several times in a visit.", thinking="15s", zipf=0.99,
             target=2.0),
    Workload("disorder-5", "5 % of events out of order.", out_of_order=0.05),
    Workload("disorder-20", "20 % out of order, 5 % late.", out_of_order=0.2, late=0.05),
    Workload("uncompressed", "The topic is not compressed.", compression="none"),
    Workload("zstd", "The topic is compressed by zstd.", compression="zstd"),
    Workload("partitions-64", "The topic has 64 partitions.", partitions=64),
    Workload("windows-1", "One window of counts.", features="windows-1"),
    Workload("windows-6", "Six windows of counts.", features="windows-6"),
    Workload("windows-12x5", "Twelve windows, five operators each.", features="windows-12x5",
             events=200_000, fill=1_000_000),
    Workload("shipped", "The shipped features in a steady state: event time has run 1.2 times the "
             "largest window, and rows of decay are not few.", **SHIPPED),
    Workload("decay", "The same with clicks that stand alone: decay is most of the writing.",
             **{**SHIPPED, "thinking": "0"}),
    Workload("latency", "From click to Redis, open loop, flush interval 10 ms, at 25, 50 and 75 % "
             "of the rate that this machine sustains, and at 120 %.", kind="latency",
             features="probe", fill=1_000_000, settings={"redis.flush_interval": "10ms"}),
    Workload("packed", "Session and three features, one million users, rows packed.", target=2.6,
             settings=PACKED),
    Workload("shipped-packed", "The shipped features in a steady state, rows packed.", **SHIPPED,
             settings=PACKED),
    Workload("shipped-whole", "The shipped features in a steady state, every field written.",
             **SHIPPED, settings=WHOLE),
    Workload("drain", "A million users have clicked within one second; two minutes later all "
             "their counts change, and rows of events must not wait.", kind="drain",
             features="drain", fill=1_500_000, events=1_500_000, span_s=1, rate=5_000,
             settings={"redis.flush_interval": "10ms"}),
    Workload("restart-1m", "A million users' state is read back after a kill -9, then checkpoints "
             "beside half of the load that this machine sustains.", kind="restart",
             fill=3_000_000, events=1_000_000, span_s=60, rate=60_000, target=3.0,
             settings=RESTART),
    Workload("restart-5m", "The same with five million users.", kind="restart", users=5_000_000,
             fill=12_000_000, events=1_000_000, span_s=60, rate=60_000, target=3.0,
             settings=RESTART),
    Workload("catch-up", "From nothing to the end of a long log: rows are held until then, and "
             "each key is written once.", kind="backlog", fill=0, events=5_000_000),
]


def features_text(name):
    """The features file of that name."""
    text = FEATURES[name]
    return text if text is not None else (TREE / "schemas" / "features.ini").read_text()


def by_name(name):
    return next((row for row in WORKLOADS if row.name == name), None)
