"""The sample of mutants."""

import pytest

pytest.importorskip("cosmic_ray", reason="`make mutants` installs it")

from tests.mutants.sample import draw_sample

SOURCE = '''
def share(kept: int | None, size: int, *, least: int = 1) -> float:
    """Return 1 / 2."""
    if size < least:
        raise ValueError(f"{size + 1} is too few")
    return (kept or 0) / size
'''


def keys(source, size=1000):
    return [mutant.key for mutant in draw_sample({"a.py": source}, size)]


def test_a_sample_stays_the_same_when_lines_move_and_a_larger_one_contains_it():
    moved = "import math\n\n\n" + SOURCE.replace('."""', '."""\n    # another line')
    assert keys(SOURCE, 3) == keys(moved, 3) == keys(SOURCE)[:3] != keys(SOURCE)
