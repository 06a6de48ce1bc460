"""A little chaos in the usual run; `python tests/faults/chaos.py --minutes 10` is the whole of it."""

from __future__ import annotations

import sys

import pytest

from tests.faults.chaos import run_chaos

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds what to kill through /proc")


@pytest.mark.timeout(400)
def test_every_promise_is_kept_while_our_processes_are_killed_at_random() -> None:
    result = run_chaos(seed=7, runs=40, seconds=30, has_ray=False)
    assert not result.broken, "\n".join([result.table(), *result.broken])
    assert result.starts >= 30
    assert len(result.chaos.kills) >= 5


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_promise_is_kept_while_rays_processes_are_killed_too() -> None:
    result = run_chaos(seed=1, runs=60, seconds=90, has_ray=True)
    assert not result.broken, "\n".join([result.table(), *result.broken])
