"""Runs are copies of one warm interpreter only where it is, to each of them, the one it would have started itself."""

from __future__ import annotations

import pytest

from runyard_actors.shim.spec import ShimSpec
from runyard_actors.spawner.spawners import Key, warm_key


def key(
    python: str = "python", preload: tuple[str, ...] = ("json",), env: dict[str, str] | None = None
) -> Key:
    command = (python, "program.py")
    spec = ShimSpec(
        run_id="r", attempt=1, nonce="n", command=command, cwd="/", env=env or {}, preload=preload
    )
    return warm_key(spec)


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "PYTHONUNBUFFERED", "PYTHONPATH", "LD_LIBRARY_PATH"])
def test_runs_that_differ_in_what_is_read_early_share_no_interpreter(name: str) -> None:
    assert len({key(), key(env={name: "1"}), key(env={name: "2"})}) == 3


def test_runs_of_another_python_or_with_other_imports_share_no_interpreter() -> None:
    assert len({key(), key("python3"), key(preload=())}) == 3


def test_runs_that_differ_in_anything_else_share_one() -> None:
    assert key(env={"OWN": "1"}) == key(env={"OWN": "2"})
