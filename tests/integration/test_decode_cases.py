"""`freshet decode` over the Avro acceptance cases: each value, or class of error, as stated."""
import json
import math
import os
import struct
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DOCUMENT = json.loads((HERE / "data" / "avro_cases.json").read_text())
MORE = json.loads((HERE / "data" / "avro_more_cases.json").read_text())
CASES = {case["id"]: case for case in DOCUMENT["cases"] + MORE["cases"]}
# Where the specification leaves it open; the reasons are in avroplan.h.
POLICIES = {"bad-utf8": "malformed", "bad-array-blocksize-lie": "malformed"}


def freshet():
    """The binary under test: FRESHET_BIN, else in FRESHET_BIN_DIR, else the release build's."""
    directory = os.environ.get("FRESHET_BIN_DIR") or HERE.parents[1] / "build" / "release"
    return os.environ.get("FRESHET_BIN") or str(Path(directory) / "freshet")


def decode(tmp_path, writer, reader, data, *options):
    (tmp_path / "writer.avsc").write_text(json.dumps(writer))
    (tmp_path / "reader.avsc").write_text(json.dumps(reader))
    return subprocess.run(
        [freshet(), "decode", "--writer", str(tmp_path / "writer.avsc"),
         "--reader", str(tmp_path / "reader.avsc"), *options],
        input=data, capture_output=True, timeout=20, check=False)


def encoded(case):
    repeat = case.get("encoded_hex_repeat")
    if repeat:
        return bytes.fromhex(repeat["unit"] * repeat["times"] + repeat["tail"])
    return bytes.fromhex(case.get("encoded_hex") or "")


def depth_of(value):
    depth = 0
    while value["next"] is not None:
        value = value["next"]
        depth += 1
    return depth


def plain(value):
    """The conventions of the cases as comparable Python values."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, inside), = value.items()
        if key == "$hex":
            return bytes.fromhex(inside)
        if key == "$long":
            return int(inside)
        if key == "$f":
            return "NaN" if inside == "NaN" else float(inside.replace("Infinity", "inf"))
        if key == "$f32":
            return struct.unpack("<f", struct.pack("<f", float(inside)))[0]
        if key == "$nulls":
            return [None] * inside
    return {key: plain(item) for key, item in value.items()}


def check(result, expected):
    error = expected.get("error")
    if error:
        assert result.returncode == 1
        assert result.stdout == b""
        assert result.stderr.decode().split(":")[0] == error, result.stderr
        return
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    value = json.loads(result.stdout)
    if isinstance(expected["ok"], dict) and "$depth" in expected["ok"]:
        assert depth_of(value) == expected["ok"]["$depth"]
    else:
        assert plain(value) == plain(expected["ok"])


@pytest.mark.parametrize("name", CASES)
def test_case(tmp_path, name):
    case = CASES[name]
    expected = case["expect"]
    if "policy" in expected:
        expected = {"error": POLICIES[name]}
    writer, reader = case["writer"], case.get("reader", case["writer"])
    if "single_object_hex" in case:
        framed = bytes.fromhex(case["single_object_hex"])
        check(decode(tmp_path, writer, reader, framed, "--framing", "single_object"), expected)
        if case.get("encoded_hex") is None:
            return
    check(decode(tmp_path, writer, reader, encoded(case)), expected)
    hex_text = encoded(case).hex() + "\n"
    check(decode(tmp_path, writer, reader, hex_text.encode(), "--hex", "--framing", "raw"),
          expected)


def test_there_are_all_cases():
    assert len(DOCUMENT["cases"]) == DOCUMENT["count"] == 92
    assert len(MORE["cases"]) == MORE["count"]
    assert len(CASES) == DOCUMENT["count"] + MORE["count"]      # no two of one name


def test_single_object_fingerprints(tmp_path):
    """The official schemas: a datum is accepted with their fingerprint and with no other."""
    for entry in DOCUMENT["fingerprints"]["cases"]:
        try:
            schema = json.loads(entry["input"])
        except ValueError:
            continue  # one official input is broken JSON on purpose
        fingerprint = (int(entry["crc64_avro"]) & (1 << 64) - 1).to_bytes(8, "little")
        message = b"\xc3\x01" + fingerprint
        result = decode(tmp_path, schema, schema, message, "--framing", "single_object")
        # There is no datum: empty ones decode, others end too early; [] has no datum at all.
        assert result.stderr.split(b":")[0] in (b"", b"malformed") or schema == [], result.stderr
        wrong = message[:-1] + bytes([message[-1] ^ 1])
        result = decode(tmp_path, schema, schema, wrong, "--framing", "single_object")
        assert result.stderr.startswith(b"resolve:"), entry


def test_confluent_framing(tmp_path):
    good = bytes.fromhex("00000000070e")
    assert json.loads(decode(tmp_path, "long", "long", good, "--framing", "confluent").stdout) == 7
    for bad in ("", "00", "01000000070e", "00000007", "00ffffffff0e"):
        result = decode(tmp_path, "long", "long", bytes.fromhex(bad), "--framing", "confluent")
        assert result.stderr.startswith(b"malformed:"), bad


def test_strict_refuses_what_is_left_over(tmp_path):
    assert decode(tmp_path, "long", "long", b"\x0e\x00").stdout == b"7\n"
    result = decode(tmp_path, "long", "long", b"\x0e\x00", "--strict")
    assert result.returncode == 1 and result.stderr.startswith(b"malformed:")


def test_minus_zero_and_nan_keep_their_bits(tmp_path):
    out = decode(tmp_path, "double", "double", struct.pack("<d", -0.0)).stdout
    assert math.copysign(1, json.loads(out)) == -1
    assert json.loads(decode(tmp_path, "float", "double", struct.pack("<f", math.nan)).stdout) \
        == {"$f": "NaN"}


def test_bare_names_and_inline_schemas(tmp_path):
    schema = tmp_path / "bare.avsc"
    schema.write_text("long\n")
    command = [freshet(), "decode", "--writer"]
    marked = tmp_path / "marked.avsc"
    marked.write_bytes(b'\xef\xbb\xbf{"type":\r\n"long"}\r\n')      # as some editors save
    for writer in (str(schema), str(marked), '"long"'):
        assert subprocess.run([*command, writer], input=b"\x0e", capture_output=True,
                              check=True).stdout == b"7\n"


@pytest.mark.parametrize("arguments", [
    [], ["--writer"], ["--nonsense"], ["--writer", '"long"', "--framing", "xml"],
    ["--writer", '"long"', "file"]])
def test_wrong_usage(arguments):
    result = subprocess.run([freshet(), "decode", *arguments], input=b"", capture_output=True,
                            check=False)
    assert result.returncode == 64 and b"--help" in result.stderr and not result.stdout


def test_wrong_input(tmp_path):
    assert decode(tmp_path, "long", "long", b"0g", "--hex").returncode == 64
    assert decode(tmp_path, "long", "long", b"0", "--hex").returncode == 64
    missing = subprocess.run([freshet(), "decode", "--writer", str(tmp_path / "none")], input=b"",
                             capture_output=True, check=False)
    assert missing.returncode == 66
    large = decode(tmp_path, {"type": "long", "doc": "x" * (1 << 20)}, "long", b"\x0e")
    assert large.returncode == 1 and large.stderr.startswith(b"limit:")
    empty = tmp_path / "empty"
    empty.write_text("")
    result = subprocess.run([freshet(), "decode", "--writer", str(empty)], input=b"",
                            capture_output=True, check=False)
    assert result.returncode == 1 and result.stderr.startswith(b"schema:")


def test_help():
    result = subprocess.run([freshet(), "decode", "--help"], capture_output=True, check=True)
    assert b"--writer" in result.stdout and not result.stderr
