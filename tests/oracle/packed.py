"""Rows of layout packed, decoded by the features' kinds alone, as layout hash would show them."""
from avro_decode import READ, Malformed, read_int, read_long, read_string
from rows_check import Unreadable, render

HEAD = 10       # C3 01 and the fingerprint


def fields_of(features, data):
    """{name: bytes} of a row; raises Unreadable when the bytes are none."""
    if data[:2] != b"\xc3\x01" or len(data) < HEAD:
        raise Unreadable("no single-object encoding")
    try:
        fields, p = _common(data)
        for feature in features:
            value, p = _optional(lambda b, p, f=feature: _value(f, b, p), data, p)
            if value is not None:
                fields[feature.name.encode()] = render(feature, value)
    except Malformed as error:
        raise Unreadable(str(error)) from None
    if p != len(data):
        raise Unreadable(f"{len(data) - p} bytes after the row")
    return fields


def _common(data):
    as_of, p = read_long(data, HEAD)
    partition, p = read_int(data, p)
    rev, p = read_long(data, p)
    offset, p = read_long(data, p)
    version, p = read_string(data, p)
    warming, p = _optional(read_string, data, p)
    fields = {b"_as_of": b"%d" % as_of, b"_p": b"%d" % partition, b"_rev": b"%d" % rev,
              b"_o": b"%d" % offset, b"_v": version.encode()}
    if warming is not None:
        fields[b"_w"] = warming.encode()
    return fields, p


def _optional(read, data, p):
    branch, p = read_long(data, p)
    if branch not in (0, 1):
        raise Malformed("union index out of range")
    return read(data, p) if branch else (None, p)


def _value(feature, data, p):
    read = READ["boolean" if feature.kind == "bool" else feature.kind]
    if feature.by_kind is not None:
        return _items(lambda b, p: _pair(read, b, p), dict, data, p)
    if feature.listed:
        return _items(read, list, data, p)
    return read(data, p)


def _pair(read, data, p):
    name, p = read_string(data, p)
    value, p = read(data, p)
    return (name, value), p


def _items(read, kind, data, p):
    found = []
    while True:
        count, p = read_long(data, p)
        if count < 0:
            raise Malformed("a block with its size: freshet writes none")
        if count == 0:
            if len(kind(found)) != len(found):
                raise Malformed("a name twice")
            return kind(found), p
        for _ in range(count):
            item, p = read(data, p)
            found.append(item)
