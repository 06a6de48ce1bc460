"""What `runyard` offers is what it lists, and importing it costs next to nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import runyard
from runyard_cluster import errors


def test_every_listed_name_is_there_and_the_list_is_sorted() -> None:
    assert sorted(runyard.__all__) == runyard.__all__
    for name in runyard.__all__:
        assert getattr(runyard, name) is not None


def test_an_unlisted_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'submitt'"):
        _ = runyard.submitt


def test_importing_runyard_imports_no_heavy_package() -> None:
    code = "import runyard, sys; print(sorted({'ray', 'fastapi', 'httpx', 'pydantic', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_pickles_with_all_it_carries(name: str) -> None:
    kind = getattr(errors, name)
    if issubclass(kind, errors.RunError):
        error = kind("words", {"run_id": "r", "reason": "exit_code", "exit_code": 3}, "tail")
    else:
        error = kind("words", [{"index": 1, "message": "m"}])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "words"
    assert again.__dict__ == error.__dict__


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_a_sentence_of_its_own(name: str) -> None:
    assert str(getattr(errors, name)()).endswith(".")
