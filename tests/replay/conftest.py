"""Fixtures of the tests of replay."""
import pytest
from replaying import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
