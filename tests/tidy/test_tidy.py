"""The tree is tidy, and each rule of tidy.py catches a planted violation."""
import json
import os
import subprocess
from pathlib import Path

import pytest
import tidy

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("FRESHET_BIN_DIR") or TOP / "build" / "release")

GOOD = {
    "src/base/pool.c": '/* A pool of equal blocks. */\n#include "pool.h"\n\nint pool_size(void)\n'
                       "{\n    return 1;\n}\n",
    "include/freshet/base/pool.h": "/* A pool of equal blocks. */\nint pool_size(void);\n",
    "src/core/shard.c": '/* The shard\'s own rules. */\n#include "pool.h"\n#include "fates.def"\n',
    "src/io/kafka.c": "/* The consumer of the log. */\n#include <librdkafka/rdkafka.h>\n"
                      "void rd_kafka_timestamp(void);\n",
    "include/freshet/tables/fates.def": "/* Fates of a record.\n * FATE(id, sentence) */\n"
                                        'FATE(LATE, "Too late to count.")\n',
    "tests/run.sh": "#!/bin/bash\n# Runs all of it.\n",
    "README.md": "<!-- generated: freshetd --dump fates -->\nlate\n<!-- end -->\n",
}
LONG = "".join(f"    a += {n};\n" for n in range(70))

# Rule -> files that break it.
PLANTED = {
    "layers": [
        {"src/base/pool.c": '/* A pool of blocks. */\n#include "shard.h"\n',
         "include/freshet/core/shard.h": "/* The shard and rules. */\n"},
        {"src/core/shard.c": '/* The shard of keys. */\n#include "nowhere.h"\n'},
        {"src/extra/thing.c": "/* In no known layer. */\n"},
    ],
    "libraries": [
        {"src/core/shard.c": "/* The shard of keys. */\n#include <librdkafka/rdkafka.h>\n"},
        {"include/freshet/codec/plan.h": "/* The plan of decoding. */\n#include <jansson.h>\n"},
        {"src/codec/plan.c": "/* The plan of decoding. */\n#  include <uv.h>\n"},
    ],
    "functions": [
        {"src/core/shard.c": f"/* The shard of keys. */\nint shard_step(int a)\n{{\n{LONG}"
                             "    return a;\n}\n"},
        {"tests/long.py": '"""A long function here."""\ndef f():\n' + "    f()\n" * 71},
    ],
    "columns": [
        {"src/core/shard.c": "/* The shard of keys. */\nint a; /* " + "x" * 100 + " */\n"},
        {"src/core/shard.c": "/* The shard of keys. */\n\tint a;\n"},
        {"tests/run.sh": "#!/bin/sh\n# Runs all of it. \n"},
    ],
    "purpose": [
        {"src/core/shard.c": "#include <stdint.h>\n"},
        {"tests/run.sh": "#!/bin/bash\nset -e\n"},
        {"tests/tool.py": "import os\n"},
        {"include/freshet/tables/fates.def": 'FATE(LATE, "Too late to count.")\n'},
    ],
    "names": [
        {"src/io/pool.c": "/* Another pool of things. */\n"},
        {"include/freshet/base/time.h": "/* Hides the C library's. */\n"},
        {"include/freshet/io/plan.h": "/* A plan in io. */\n",
         "src/codec/plan.c": "/* A plan in codec. */\n"},
    ],
    "words": [
        {"src/core/shard.c": "/* The shard of keys. */\nlong record_timestamp;\n"},
        {"src/core/shard.c": "/* The shard of keys. */\nvoid f(void) { strcpy(a, b); }\n"},
        {"src/core/shard.c": "/* The shard of keys. */\n/* " + "TO" + "DO: all of it */\n"},
        {"deploy/quickstart": "#!/bin/bash\n# Shows it all. " + "FIX" + "ME\n"},
    ],
    "tables": [
        {"include/freshet/tables/fates.def":
         '/* Fates of a record.\n * FATE(id, sentence) */\nFATE(LATE, "late")\n'},
        {"include/freshet/tables/fates.def":
         '/* Fates of a record.\n * FATE(id, sentence) */\nFATTE(LATE, "Too late to count.")\n'},
        {"include/freshet/tables/fates.def":
         '/* Fates of a record. */\nFATE(LATE, "Too late to count.")\n'},
    ],
    "dead": [
        {"src/core/unbuilt.c": "/* Nobody builds this one. */\n"},
        {"include/freshet/core/unused.h": "/* Nobody includes this one. */\n"},
    ],
    "generated": [
        {"README.md": "<!-- generated: freshetd --dump fates -->\nearly\n<!-- end -->\n"},
        {"README.md": "<!-- generated: freshetd --dump fates -->\nlate\n"},
        {"README.md": "<!-- generated: freshetd --dump fails -->\nlate\n<!-- end -->\n"},
    ],
    "symbols": [
        {"src/base/pool.c": "#include <time.h>\ntime_t now(void);\ntime_t now(void)\n"
                            "{\n    return time(0);\n}\n"},
        {"src/core/shard.c": "#include <stdlib.h>\nvoid *get(void);\nvoid *get(void)\n"
                             "{\n    return malloc(9);\n}\n"},
        {"src/core/shard.c": "int uv_run(int);\nint get(void);\nint get(void)\n"
                             "{\n    return uv_run(0);\n}\n"},
    ],
}


def plant(top, files):
    """Makes a small tree with a build directory; returns a tidy.Tree of it."""
    for name, text in {**GOOD, **files}.items():
        path = top / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    build = top / "build"
    build.mkdir()
    commands = [{"file": str(top / "tree" / name)} for name in GOOD if name.endswith(".c")]
    (build / "compile_commands.json").write_text(json.dumps(commands))
    daemon = build / "freshetd"
    daemon.write_text('#!/bin/sh\n[ "$2" = fates ] && echo late\n')
    daemon.chmod(0o755)
    return tidy.Tree(top / "tree", build)


def compile_layers(tree):
    """Builds the archives of base and core, as CMake would name their members."""
    for layer in ("base", "core"):
        for source in (tree.top / "src" / layer).glob("*.c"):
            subprocess.run(["cc", "-c", "-I", tree.top / "include/freshet/base", "-I",
                            tree.top / "include/freshet/tables", "-include", "stddef.h",
                            "-DFATE(...)=", source, "-o",
                            tree.build / f"{source.name}.o"], check=True)
            subprocess.run(["ar", "rc", tree.build / f"libfreshet_{layer}.a",
                            tree.build / f"{source.name}.o"], check=True)


@pytest.fixture(autouse=True)
def only_the_readme_is_generated(request, monkeypatch):
    if "tmp_path" in request.fixturenames:
        monkeypatch.setattr(tidy, "GENERATED", {})


@pytest.mark.parametrize("rule,files", [(rule, files) for rule, cases in PLANTED.items()
                                        for files in cases])
def test_planted_violation_is_caught(tmp_path, rule, files):
    tree = plant(tmp_path, files)
    if rule == "symbols":
        compile_layers(tree)
    assert list(tidy.RULES[rule](tree)) != []


@pytest.mark.parametrize("rule", tidy.RULES)
def test_good_tree_passes(tmp_path, rule):
    tree = plant(tmp_path, {})
    compile_layers(tree)
    assert list(tidy.RULES[rule](tree)) == []


def test_generated_file_must_be_current(tmp_path, monkeypatch):
    monkeypatch.setattr(tidy, "GENERATED", {"deploy/a.ini": ["freshetd", "--dump", "x"]})
    for files in ({}, {"deploy/a.ini": "other\n"}):
        where = tmp_path / str(len(files))
        where.mkdir()
        assert list(tidy.rule_generated(plant(where, files))) != []


def test_each_rule_has_a_planted_violation():
    assert set(PLANTED) == set(tidy.RULES)


@pytest.mark.parametrize("rule", tidy.RULES)
def test_tree_is_tidy(rule):
    problems = list(tidy.RULES[rule](tidy.Tree(TOP, BUILD)))
    assert problems == [], "\n" + "\n".join(problems)
