"""The parts of the hot path take as many instructions as the baseline says."""
import instructions
import pytest
import workloads


@pytest.mark.parametrize("name", workloads.PARTS)
def test_instructions(name):
    stored = instructions.baseline()
    now, compiler = instructions.count(name)
    if compiler != stored["compiler"]:
        pytest.skip(f"no gate: {compiler}, the baseline is of {stored['compiler']}; {name}: "
                    f"{now:.1f} instructions, {stored['instructions'][name]:.1f} there")
    problem = instructions.judge(name, now, stored["instructions"][name])
    assert problem is None, problem


def test_baseline_has_each_part():
    assert set(instructions.baseline()["instructions"]) == set(workloads.PARTS)


def test_a_change_is_noticed():
    assert instructions.judge("core", 101.9, 100) is None
    assert "+2.1%" in instructions.judge("core", 102.1, 100)
    assert "-3.0%" in instructions.judge("core", 97, 100)


def test_only_our_own_object_counts(tmp_path):
    out = tmp_path / "callgrind.out"
    binary = tmp_path / "ours"
    out.write_text(f"events: Ir\nob={binary}\nfl=a.c\nfn=f\n10 5\n+1 3\ncob=/lib/libc.so\ncfn=g\n"
                   f"calls=1 20\n12 700\n13 2\n\nob=/lib/libc.so\nfn=g\n20 700\n")
    assert instructions.own_instructions(out, binary) == 7
