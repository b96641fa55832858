"""docs/training.md: its commands run as they stand and print what stands beneath them."""
import difflib
import os
import re
import shutil
import subprocess

from replaying import BIN, SCHEMAS, TREE

DOCUMENT = TREE / "docs" / "training.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def blocks():
    """(line, commands, what they print)."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found[1], found[2] or ""


def test_commands_print_what_the_document_says(tmp_path):
    shutil.copy(SCHEMAS / "click.avsc", tmp_path)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    printed = 0
    for line, commands, wanted in blocks():
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", commands], cwd=tmp_path,
                              env=environment, capture_output=True, text=True, timeout=120,
                              check=False)
        where = f"{DOCUMENT.name}:{line}"
        assert done.returncode == 0 and done.stderr == "", f"{where}:\n{done.stderr}"
        lines = difflib.unified_diff(wanted.split("\n"), done.stdout.split("\n"), where, "printed",
                                     lineterm="")
        assert wanted == done.stdout, "\n".join(lines)
        printed += bool(wanted)
    assert printed >= 7


def test_the_mistake_is_one():
    """The figures that the document argues with: the naive join knows, the others do not."""
    text = DOCUMENT.read_text(encoding="utf-8")
    shares = {name: float(share) for name, share in re.findall(
        r"^(\w+) +clicked=1 .*?([\d.]+)% with", text, re.MULTILINE)}
    assert shares["naive"] > 80 and shares["labels"] < 5 and shares["pre_event"] < 5
