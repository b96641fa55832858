"""Compares the rows of `freshet replay` with the oracle's, one by one."""
import itertools

from rows_check import Unreadable, same, text_of, value_of_json

KINDS = ("pre_event", "event", "open", "close", "correction", "retract", "fate")
# What one record causes comes to be at once: its order within a partition is compared by these.
RANK = {kind: number for number, kind in enumerate(KINDS)}
MEMBERS = ("kind", "key", "partition", "offset", "as_of", "watermark", "rev", "session", "fate",
           "late_by_ms")


class Different(AssertionError):
    """The first row that is not as it should be."""


def together(rows):
    """Lists of the rows that one record, or one idle emission, caused."""
    def cause(row):
        return row["partition"], row["offset"], row["as_of"] if row["offset"] is None else None
    for _, group in itertools.groupby(rows, cause):
        yield sorted(group, key=lambda row: (RANK[row["kind"]], str(row.get("key")),
                                             (row.get("session") or {}).get("id", 0)))


def check_rows(found, wanted, features):
    """Compares the rows of one partition; returns how many there were of each kind."""
    counts, version = dict.fromkeys(KINDS, 0), None
    pairs = itertools.zip_longest(together(found), together(map(as_json, wanted)),
                                  fillvalue=[])
    for ours, theirs in pairs:
        for one, two in itertools.zip_longest(ours, theirs):
            wrong = differences(one, two, features)
            if wrong:
                raise Different("\n".join([f"{where(two or one)}:", *wrong]))
            if "features" in two:
                version = version or one.get("v")
                if not version or one.get("v") != version:
                    raise Different(f"{where(two)}: v {one.get('v')!r}, expected {version!r}")
            counts[one["kind"]] += 1
    return counts


def as_json(row):
    """A row of the oracle with its key as it stands in JSON."""
    key = row.get("key")
    return {**row, "key": text_of(key)} if isinstance(key, bytes) else row


def where(row):
    return (f"{row['kind']} row of {row.get('key')!r}, partition {row['partition']} offset "
            f"{row['offset']} as_of {row.get('as_of')}")


def differences(found, wanted, features):
    """Lines that say what is not the same."""
    if found is None or wanted is None:
        return ["expected a row, found none" if found is None else "found, but not expected"]
    lines = [f"  {name}: expected {wanted.get(name)!r}, found {found.get(name)!r}"
             for name in MEMBERS if name in wanted and wanted[name] != found.get(name)]
    if "features" not in wanted:
        return lines
    values = found.get("features") or {}
    if set(values) != set(features):
        return lines + [f"  features: {sorted(set(values) ^ set(features))} on one side only"]
    for name, feature in features.items():
        try:
            value = value_of_json(feature, values[name])
        except (Unreadable, AttributeError, TypeError) as error:
            value = f"{values[name]!r}: {error}"
        if not same(value, wanted["features"][name]):
            lines.append(f"  {name}: expected {wanted['features'][name]!r}, found {value!r}")
    return lines
