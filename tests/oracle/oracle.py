"""The oracle as a library: records and configuration to the rows that Redis must show."""
import avro_schema
import feature_set
from evaluate import Evaluator
from framing import Reader, read_text
from kept import KeyState
from shard_model import Shard
from sources import from_json_lines


class Oracle:
    """All shards of one application."""

    def __init__(self, settings, features=None, reader=None, registry=None,
                 watch_closing=False):
        self.settings = settings
        node = reader or avro_schema.parse(read_text(settings.path("schema.reader")))
        self.features = features or feature_set.load(settings.path("features.file"), node,
                                                     settings)
        self.reader = Reader(settings, self.features, node, registry)
        self.evaluator = Evaluator(self.features, settings)
        self.watch_closing, self.shards = watch_closing, {}

    def shard(self, partition):
        if partition not in self.shards:
            self.shards[partition] = Shard(self.settings, self.features, self.watch_closing)
        return self.shards[partition]

    def consume(self, records):
        for partition, offset, rts, read in records:
            self.shard(partition).consume(offset, rts, read)
        return self

    def idle(self, partition, as_of):
        return self.shard(partition).idle(as_of)

    def fates(self):
        total = {}
        for shard in self.shards.values():
            for fate, count in shard.fates.items():
                total[fate] = total.get(fate, 0) + count
        return total

    def records(self):
        return sum(shard.consumed for shard in self.shards.values())

    def key_count(self):
        return sum(len(shard.newest_offset) for shard in self.shards.values())

    def rows(self, as_of=None):
        """{(partition, key): (Row, greatest offset)} of every key that was ever accepted."""
        found = {}
        for partition, shard in self.shards.items():
            at = max((as_of or {}).get(partition, 0), shard.as_of)
            for key, offset in shard.newest_offset.items():
                state = shard.keys.get(key) or KeyState()
                found[partition, key] = self.evaluator.row(key, state, at), offset
        return found


def run(lines, settings, features, reader):
    """Rows of JSON lines (or dicts), for tests. Returns (oracle, rows)."""
    oracle = Oracle(settings, features, reader)
    oracle.consume(from_json_lines(lines, oracle.reader, oracle.idle))
    return oracle, oracle.rows()
