#!/usr/bin/env python3
"""Checks the habits of the house that a machine can check: tidy.py [--tree T] [--build B] [RULE].

Each rule is a function of a Tree that yields "file:line: what is wrong"; a rule that looks at
built things needs --build. test_tidy.py shows for each rule that it catches a violation.
"""
import argparse
import ast
import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

MAX_COLUMNS = 100
MAX_FUNCTION_LINES = 70

# Layer -> layers whose headers it may include. The tools are layers of their own.
SEES = {
    "base": {"base"},
    "core": {"base", "core"},
    "codec": {"base", "core", "codec"},
    "io": {"base", "core", "codec", "io"},
    "daemon": {"base", "core", "codec", "io", "daemon"},
    "ctl": {"base", "ctl"},
    "workbench": {"base", "core", "codec", "io", "daemon", "workbench"},
    "main": {"base", "core", "codec", "io", "daemon"},
}

# Header of an outside library -> the files that may include it.
LIBRARIES = {
    "librdkafka/*": ["src/io/kafka*", "src/workbench/*.c"],
    "avro.h": [],
    "avro/*": [],
    "zlib.h": ["src/codec/avropack.c"],
    "zstd.h": ["src/codec/avropack.c"],
    "snappy-c.h": ["src/codec/avropack.c"],
    "jansson.h": ["src/codec/jsontree.c"],
    "xxhash.h": ["src/base/hash.c"],
    "hiredis/*": ["src/io/redis*.c", "src/ctl/*"],
    "curl/*": ["src/io/registry*.c"],
    "microhttpd.h": ["src/io/http.c"],
    "systemd/*": ["src/io/notify.c"],
    "ini.h": ["src/daemon/*.c"],
    "argp.h": ["src/freshetd.c", "src/daemon/*.c", "src/ctl/*.c", "src/workbench/*"],
    "uv.h": ["src/io/*", "src/daemon/*", "src/freshetd.c", "include/freshet/io/*",
             "include/freshet/daemon/*"],
}

# What base and core may not call; allocation is for base alone.
BANNED_SYMBOLS = (
    r"time|clock_gettime|gettimeofday|clock|localtime(_r)?|s?rand(om)?(_r)?|[dlm]rand48|getrandom"
    r"|getentropy|arc4random\w*|(secure_)?getenv|socket|connect|open(64)?|fopen(64)?|uv_\w+"
    r"|rd_kafka_\w+|redis\w+|curl_\w+|json_\w+|avro_\w+")
ALLOCATION = r"malloc|calloc|realloc|reallocarray|free|strdup|strndup|aligned_alloc|posix_memalign"
NM_RULES = {"base": BANNED_SYMBOLS, "core": rf"{BANNED_SYMBOLS}|{ALLOCATION}|pthread_\w+"}
BANNED_CALLS = ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "alloca")
BANNED_NOTES = ("TODO", "FIXME", "XXX")
# One outside interface has that word in its names: these speak to it, or of its settings.
TIMESTAMP_ALLOWED = ("src/io/kafka*.c", "include/freshet/io/kafka*.h", "src/workbench/*.c",
                     "src/daemon/check_online.c", "src/daemon/status_views.c", "tests/bench/*.c")

LIBC_HEADERS = set("""assert complex ctype errno fenv float inttypes iso646 limits locale math
    setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string
    tgmath threads time uchar wchar wctype aio cpio dirent dlfcn err error fcntl fnmatch ftw glob
    grp iconv langinfo libgen memory monetary mqueue ndbm netdb nl_types poll pthread pwd regex
    sched search semaphore spawn strings stropts syslog tar termios ulimit unistd utime utmpx
    values wordexp argp argz envz getopt link malloc mntent obstack printf resolv shadow stab
    ttyent""".split())

# A generated file -> the command whose output it must be.
GENERATED = {
    "deploy/freshet.ini": ["freshetd", "--dump", "config", "--format", "ini"],
    "deploy/man/freshet.ini.5": ["freshetd", "--dump", "config", "--format", "man"],
    **{f"deploy/man/freshet-{name}.7": ["freshetd", "--dump", name, "--format", "man"]
       for name in ("operators", "metrics", "control", "fates")},
}
MARKER = re.compile(r"^<!-- generated: (.+) -->$")


class Tree:
    """The files of a source tree, read once."""

    def __init__(self, top, build=None):
        self.top = Path(top)
        self.build = Path(build) if build else None
        self.texts = {}
        for path in self.paths():
            data = path.read_bytes()
            if b"\0" not in data:
                name = str(path.relative_to(self.top))
                self.texts[name] = data.decode("utf-8", "surrogateescape")

    def paths(self):
        if (self.top / ".git").exists():
            listed = subprocess.run(
                ["git", "-C", self.top, "-c", "safe.directory=*", "ls-files", "-z", "--cached",
                 "--others", "--exclude-standard"],
                capture_output=True, check=True).stdout.decode().split("\0")
            found = [self.top / name for name in listed if name]
        else:
            left_out = ("build", ".cache")
            found = [path for path in sorted(self.top.rglob("*"))
                     if path.relative_to(self.top).parts[0] not in left_out]
        return [path for path in found if path.is_file() and not path.is_symlink()]

    def named(self, *patterns):
        """Yields (name, text) of the files that match one of the patterns."""
        for name, text in sorted(self.texts.items()):
            if matches(name, patterns):
                yield name, text

    def sources(self):
        """Yields the C files of the product."""
        return self.named("src/*.c", "src/*.h", "src/*.cc", "include/*.h")

    def scripts(self):
        """Yields Python and shell files."""
        for name, text in sorted(self.texts.items()):
            first = text.split("\n", 1)[0]
            if name.endswith((".py", ".sh")) or re.match(r"#!.*\b(python3?|sh|bash)$", first):
                yield name, text


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def layer_of(name):
    parts = name.split("/")
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else "main"
    return parts[2] if parts[:2] == ["include", "freshet"] and len(parts) > 3 else None


def without_comments(text, strings=False):
    """Blanks comments (and strings), keeping lines and columns."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(found):
        piece = found.group()
        if piece[0] in "\"'" and not strings:
            return piece
        return re.sub(r"[^\n]", " ", piece)
    return re.sub(pattern, blank, text, flags=re.DOTALL)


def includes(text):
    """Yields (line number, header, True if quoted)."""
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(2), found.group(1) == '"'


def rule_layers(tree):
    """A file includes only headers of its own layer and of those to its left."""
    owner = {}
    for name, _ in tree.named("include/freshet/*", "src/*.h"):
        owner[name.rsplit("/", 1)[1]] = layer_of(name)
    for name, text in tree.named("src/*", "include/*"):
        layer = layer_of(name)
        if layer == "tables":
            continue
        if layer not in SEES:
            yield f"{name}:1: is in no known layer"
            continue
        for number, header, quoted in includes(text):
            if not quoted:
                continue
            other = owner.get(header)
            if other is None:
                yield f"{name}:{number}: {header} is no header of this tree (flat names only)"
            elif other != "tables" and other not in SEES[layer]:
                yield f"{name}:{number}: {layer} may not include {header} of {other}"


def rule_libraries(tree):
    """Each outside library is confined to its file."""
    for name, text in tree.sources():
        for number, header, quoted in includes(text):
            for pattern, allowed in LIBRARIES.items():
                if not quoted and fnmatch.fnmatchcase(header, pattern):
                    if not matches(name, allowed):
                        yield f"{name}:{number}: <{header}> belongs to {', '.join(allowed)}"


def rule_symbols(tree):
    """base and core call no clock, no randomness, no input or output; core does not allocate."""
    for layer, banned in NM_RULES.items():
        archive = tree.build / f"libfreshet_{layer}.a"
        if not archive.exists():
            yield f"{archive}:1: is not built"
            continue
        listed = subprocess.run(["nm", "-u", archive], capture_output=True, text=True, check=True)
        member = ""
        for line in listed.stdout.split("\n"):
            head = re.match(r"(\S+)\.c{1,2}\.o:$", line)
            if head:
                member = head.group(1)
            found = re.match(r"\s+U (\w+)", line)
            symbol = found.group(1) if found else ""
            if re.fullmatch(banned, symbol):
                yield f"src/{layer}/{member}.c:1: may not call {symbol}"


def c_functions(text):
    """Yields (first line number, lines) of the functions of a C file in the house's style."""
    lines = without_comments(text).split("\n")
    for number, line in enumerate(lines):
        if line.rstrip() != "}":
            continue
        first = number
        while first > 0:
            first -= 1
            if re.match(r"[A-Za-z_](?!\w*:)", lines[first]):
                break
        yield first + 1, number - first + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


def rule_functions(tree):
    """A function has at most 70 lines."""
    files = [(name, text, c_functions) for name, text in tree.named("*.c", "*.cc", "*.h")]
    files += [(name, text, python_functions) for name, text in tree.named("*.py")]
    for name, text, functions in files:
        for number, count in functions(text):
            if count > MAX_FUNCTION_LINES:
                yield f"{name}:{number}: function of {count} lines (at most {MAX_FUNCTION_LINES})"


def rule_columns(tree):
    """A line has at most 100 columns, no tab (but in Makefiles) and no space at its end."""
    files = dict(tree.named("*.c", "*.cc", "*.h", "*CMakeLists.txt", "*.cmake"))
    files.update(tree.scripts())
    for name, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_COLUMNS:
                yield f"{name}:{number}: {len(line)} columns (at most {MAX_COLUMNS})"
            if line != line.rstrip() or "\t" in line:
                yield f"{name}:{number}: tab, or space at the end of the line"


def rule_purpose(tree):
    """Each file begins with a comment that says its purpose."""
    for name, text in tree.named("*.c", "*.cc", "*.h", "*.def"):
        if not re.match(r"(/\*[\s*]*|// )[^*\n]*?\w+([^\w\n]+\w+){2}", text):
            yield f"{name}:1: no comment with the file's purpose"
    for name, text in tree.scripts():
        body = re.sub(r"\A#![^\n]*\n", "", text)
        if body.strip() and not re.match(r"(# |\"\"\")\S+(\s+\S+){2}", body):
            yield f"{name}:1: no comment with the file's purpose"


def rule_names(tree):
    """File names are unique; only a header and its .c share a stem; none is one of libc's."""
    seen = {}
    for name, _ in tree.named("*.c", "*.cc", "*.h", "*.def", "*.py"):
        base = name.rsplit("/", 1)[1] if "/" in name else name
        stem, _, kind = base.rpartition(".")
        if stem in ("__init__", "conftest", "__main__"):
            continue
        if kind == "h" and stem in LIBC_HEADERS:
            yield f"{name}:1: {base} is a header of the C library"
        if base in seen:
            yield f"{name}:1: the same name as {seen[base]}"
        seen[base] = name
    for base, name in seen.items():
        stem, _, kind = base.rpartition(".")
        if kind == "c" and name.startswith("src/"):
            header = seen.get(f"{stem}.h")
            if header and layer_of(header) != layer_of(name):
                yield f"{name}:1: shares its stem with {header} of another layer"


def rule_words(tree):
    """Banned calls, banned notes, and the word that names neither event time nor record time."""
    for name, text in tree.named("src/*", "include/*", "tests/*.c"):
        code = without_comments(text, strings=True)
        for number, line in enumerate(code.split("\n"), 1):
            for word in BANNED_CALLS:
                if re.search(rf"\b{word}\s*\(", line):
                    yield f"{name}:{number}: {word} is banned"
            if re.search(r"timestamp", line, re.IGNORECASE):
                if not matches(name, TIMESTAMP_ALLOWED):
                    yield f"{name}:{number}: 'timestamp': say event time or record time"
    for name, text in sorted(tree.texts.items()):
        if name.startswith("tests/tidy/") or "/corpus/" in name:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for word in BANNED_NOTES:
                if re.search(rf"\b{word}\b", line):
                    yield f"{name}:{number}: {word}: do it or file an issue"


def table_rows(text):
    """Yields (line number, macro, last argument) of a table's rows."""
    code = without_comments(text)
    for number, line in enumerate(code.split("\n"), 1):
        found = re.match(r"([A-Z_]+)\((.*)\)\s*$", line)
        if found:
            yield number, found.group(1), found.group(2).strip()


def rule_tables(tree):
    """Rows of tables whose format ends in `sentence` end in a full sentence."""
    for name, text in tree.named("include/freshet/tables/*.def"):
        head = text[:text.index("*/")] if "*/" in text else ""
        formats = dict(re.findall(r"^(?: \*|/\*) ([A-Z_]+)\((.*)\)", head, re.MULTILINE))
        if not formats:
            yield f"{name}:1: the head does not say the format of a row"
        rows = 0
        for number, macro, arguments in table_rows(text):
            rows += 1
            if macro not in formats:
                yield f"{name}:{number}: {macro} is not described at the top"
            elif formats[macro].split(",")[-1].strip() == "sentence":
                last = re.search(r'"((?:\\.|[^"\\])*)"$', arguments)
                if not last or not re.fullmatch(r"\S+ .*[.!?]", last.group(1)):
                    yield f"{name}:{number}: does not end in a full sentence"
        if rows == 0:
            yield f"{name}:1: has no rows"


def rule_dead(tree):
    """Each .c file is built, each header and table is included."""
    commands = tree.build / "compile_commands.json"
    if not commands.exists():
        yield f"{commands}:1: is not there"
        return
    built = {os.path.realpath(entry["file"]) for entry in json.loads(commands.read_text())}
    included = {header.rsplit("/", 1)[-1] for name, text in tree.texts.items()
                if name.endswith((".c", ".cc", ".h", ".def")) for _, header, _ in includes(text)}
    for name, _ in tree.named("src/*.c", "src/*.cc", "tests/*/*.c"):
        if os.path.realpath(tree.top / name) not in built:
            yield f"{name}:1: is not built"
    for name, _ in tree.named("include/*", "src/*.h", "tests/*.h"):
        if name.rsplit("/", 1)[-1] not in included:
            yield f"{name}:1: nobody includes it"


def output_of(tree, command):
    """Returns what a command of ours prints, or the reason why it does not."""
    program = tree.build / command[0]
    if not program.exists():
        return None, f"{command[0]} is not built"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode != 0:
        return None, f"`{' '.join(command)}` fails: {done.stderr.strip()[:200]}"
    return done.stdout, None


def generated_blocks(text):
    """Yields (line number, command, content) of the marked blocks of a Markdown file."""
    lines, opened = text.split("\n"), None
    for number, line in enumerate(lines, 1):
        found = MARKER.match(line)
        if found:
            opened = (number, found.group(1))
        elif line == "<!-- end -->" and opened:
            yield opened[0], opened[1], "\n".join(lines[opened[0]:number - 1])
            opened = None
    if opened:
        yield opened[0], opened[1], None


def rule_generated(tree):
    """Generated documentation in the tree is what the programs print now."""
    for name, command in GENERATED.items():
        if name not in tree.texts:
            yield f"{name}:1: is missing; it is printed by `{' '.join(command)}`"
            continue
        wanted, problem = output_of(tree, command)
        if problem or wanted != tree.texts[name]:
            yield f"{name}:1: {problem or 'differs from `' + ' '.join(command) + '`'}"
    for name, text in tree.named("*.md"):
        for number, command, content in generated_blocks(text):
            wanted, problem = output_of(tree, command.split())
            if content is None:
                problem = "a generated block without its <!-- end -->"
            if problem or content.strip() != wanted.strip():
                yield f"{name}:{number}: {problem or 'differs from `' + command + '`'}"


RULES = {name.removeprefix("rule_"): function for name, function in sorted(globals().items())
         if name.startswith("rule_")}
NEED_BUILD = ("symbols", "dead", "generated")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rule", nargs="*", help="rules to check: " + ", ".join(RULES))
    parser.add_argument("--tree", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--build", help="a build directory, for " + ", ".join(NEED_BUILD))
    args = parser.parse_args()
    unknown = set(args.rule) - set(RULES)
    if unknown:
        parser.error(f"no rule {', '.join(unknown)}")
    tree = Tree(args.tree, args.build)
    count = 0
    for rule in args.rule or RULES:
        if rule in NEED_BUILD and not args.build:
            print(f"{rule}: not checked without --build")
            continue
        for problem in RULES[rule](tree):
            print(f"{problem} [{rule}]")
            count += 1
    print(f"{count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
