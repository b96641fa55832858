"""The real requests: sessions counted by a second, simpler way agree with the oracle's."""
import json
import os

import nasa
import oracle
import pytest
import settings as settings_file
import sources

HERE = os.path.dirname(os.path.abspath(__file__))
LOG = os.environ.get("FRESHET_REAL_LOG")
needs_log = pytest.mark.skipif(not LOG, reason="FRESHET_REAL_LOG is not set: no real log")


def judge_of(lines, **more):
    values = {"event.key": "host", "schema.framing": "raw", "session.cut_at": "off",
              "state.keep": "30d", "schema.reader": os.path.join(HERE, "request.avsc"),
              "features.file": os.path.join(HERE, "request-features.ini")}
    values.update({name.replace("__", "."): value for name, value in more.items()})
    made = oracle.Oracle(settings_file.Settings(values))
    return made.consume(sources.from_json_lines(lines, made.reader))


@needs_log
def test_sessions_of_the_real_log():
    lines = list(nasa.requests(LOG))
    assert len(lines) == 30969
    judge = judge_of(lines)
    by_host = {}
    for line in lines:
        by_host.setdefault(line["host"], []).append(line["event_time"])
    assert judge.fates() == {"applied": len(lines)}
    assert judge.key_count() == len(by_host) == 2365
    numbers = {host: 1 + sum(b - a > 1800000 for a, b in zip(times, times[1:]))
               for host, times in by_host.items()}
    assert sum(shard.sessions_total() for shard in judge.shards.values()) == sum(numbers.values())
    for (_, key), (row, _) in judge.rows().items():
        host = key.decode()
        assert row.values["session_number"] == numbers[host]
        assert row.values["session_last"] == max(by_host[host])


@needs_log
def test_what_is_produced_is_decoded_again():
    encode = nasa.encoder(b"")
    judge = judge_of([])
    for number, line in enumerate(nasa.requests(LOG)):
        fate, key, ts, fields = judge.reader.read(encode(line))
        assert (fate, key, ts) == (None, line["host"].encode(), line["event_time"])
        if number == 2000:
            break
    assert fields["url"] == line["url"] and fields["bytes"] == line["bytes"]


def test_schema_is_valid():
    assert json.loads(nasa.schema_text())["name"] == "Request"
