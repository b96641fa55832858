"""Semantics 6: arrivals in disorder within the bounds end in the same rows, but for ids."""
import random

import pytest
from loglines import event, run

SLACK, LATENESS = 3000, 2000
FEATURES = {
    "id": {"op": "session_start"}, "last": {"op": "session_last"},
    "number": {"op": "session_number"}, "events": {"op": "session_event_count"},
    "before": {"op": "prev_session_gap"}, "mean": {"op": "mean_gap"},
    "sum": {"op": "sum(value)", "over": "60s"}, "items": {"op": "last_distinct(item, 3)",
                                                          "over": "session"},
    "path": {"op": "last_n(n, 4)", "over": "60s"}, "first": {"op": "first(n)", "over": "60s"},
    "distinct": {"op": "distinct(item)", "over": "session"},
    "avg": {"op": "mean(value)", "over": "session"}}


def log(rng):
    times = sorted(rng.sample(range(200000), 120))
    return [event(ts, rng.choice("abc"), n=i, value=rng.uniform(-5, 5),
                  item=rng.choice("uvwxyz")) for i, ts in enumerate(times)]


@pytest.mark.parametrize("seed", range(40))
def test_order_of_arrival_does_not_matter(seed):
    rng = random.Random(seed)
    lines = log(rng)
    mixed = sorted(lines, key=lambda line: line["ts"] + rng.randint(0, SLACK + LATENESS))
    rows = []
    for arrivals in (lines, mixed):
        greatest, made = 0, []
        for line in arrivals:       # record time: never behind the newest event seen
            greatest = max(greatest, line["ts"])
            made.append(dict(line, **{"@timestamp": greatest}))
        judge, found = run(made, FEATURES, session__gap="4s", session__lateness=str(LATENESS),
                           time__out_of_orderness=str(SLACK), state__keep="365d")
        assert judge.fates() == {"applied": 120}
        rows.append({key: row.values for key, (row, _) in found.items()})
        for shard in judge.shards.values():
            for key, state in shard.keys.items():
                spans = sorted((s.start, s.last) for s in state.sessions)
                assert all(b[0] - a[1] > 4000 for a, b in zip(spans, spans[1:]))
                assert sum(s.count for s in state.sessions) == \
                    sum(line["key"] == key.decode() for line in lines)
    assert rows[0] == rows[1]
