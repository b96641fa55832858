"""A file streams: memory is bounded by a chunk and by state, whatever the file's length."""
import subprocess

from replaying import BIN, PATIENCE, SHIPPED, freshet

FILE_BYTES = 100 << 20
# Beside state: pieces of input and output, decoded events, the programs themselves.
BOUND_KB = 60 << 10


def peak_kb(*words):
    """The greatest resident set of the command, by a child of its own."""
    script = ("import resource, subprocess, sys; "
              "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run(["python3", "-c", script, *map(str, words)], capture_output=True,
                          text=True, check=True, timeout=5 * PATIENCE)
    return int(done.stdout)


def test_a_large_file_streams(tmp_path):
    small = tmp_path / "small.jsonl"
    small.write_bytes(freshet("generate", "--output", "-", "--events", 20000, "--users", 300,
                              "--span", "6h", "--end", "2026-02-01T00:00:00Z").out)
    large, text, size = tmp_path / "large.jsonl", small.read_bytes(), 0
    with large.open("wb") as file:      # the same clicks again and again: state does not grow
        while size < FILE_BYTES:
            file.write(text)
            size += len(text)
    words = (BIN / "freshet", "replay", *SHIPPED, "--rows", "close,fate")
    little = peak_kb(*words, small)
    for jobs in (1, 2):
        much = peak_kb(*words, "--jobs", jobs, large)
        print(f"{little} kB for {len(text)} bytes, {much} kB for {size}, {jobs} jobs")
        assert much < little + BOUND_KB / 4 and much < BOUND_KB
