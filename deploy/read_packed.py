#!/usr/bin/env python3
"""Reads rows of redis.layout = packed; an example for models (packages: fastavro, redis).

    freshetd --dump features --format avsc -c freshet.ini > features.avsc
    read_packed.py redis://127.0.0.1:6379/0 ada bob -- features.avsc [OLDER.avsc...]

A row is Avro's single-object encoding: C3 01, the fingerprint of the schema it was written with,
the record. Values come in the shape of the first schema; keep those of before a change of features
behind it, for rows that have not been written again yet. Prints a JSON line a key.
"""
import io
import json
import sys

import fastavro
import redis

MARK, HEAD = b"\xc3\x01", 10


class PackedRows:
    """Decodes rows. schemas: the newest first."""

    def __init__(self, schemas):
        self.reader = fastavro.parse_schema(schemas[0])
        self.writers = {}
        for schema in schemas:
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            mark = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
            self.writers[bytes.fromhex(mark)] = fastavro.parse_schema(schema)

    def decode(self, data):
        """Returns {feature: value}, with _as_of as a datetime; raises ValueError."""
        writer = self.writers.get(data[2:HEAD])
        if data[:2] != MARK or writer is None:
            raise ValueError(f"not a row of a schema that is known: {data[:HEAD].hex()}")
        return fastavro.schemaless_reader(io.BytesIO(data[HEAD:]), writer, self.reader)


def main(arguments):
    url, *keys = arguments[:arguments.index("--")]
    schemas = []
    for path in arguments[arguments.index("--") + 1:]:
        with open(path, encoding="utf-8") as file:
            schemas.append(json.load(file))
    rows = PackedRows(schemas)
    for key, data in zip(keys, redis.from_url(url).mget([f"features:{key}" for key in keys])):
        print(json.dumps({key: data and rows.decode(data)}, default=str))


if __name__ == "__main__":
    if "--" not in sys.argv[2:]:
        sys.exit(__doc__)
    main(sys.argv[1:])
