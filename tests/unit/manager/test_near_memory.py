"""Warnings before a memory limit: when they come, and of which runs they do not."""

from __future__ import annotations

import dataclasses

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import RunLook
from runyard_actors.manager.near_memory import PATIENCE_SECONDS, MemoryWatch
from runyard_actors.request import Request
from tests.unit.manager.making import GIB, active, node_look, run_look

MIB = 2**20


class Playing:
    """A run that is looked at; `exact` is what its processes hold for themselves, all that is resident if None."""

    def __init__(self, limit: int) -> None:
        self.attempt: ActiveRun = active(request=Request(memory_bytes=limit))
        self.exact: int | None = None
        self.asked = 0
        self.watch = MemoryWatch(self._exact)

    def look(self, memory: int, at: float = 0.0) -> list[str]:
        """Return what is told when so much is resident at that moment, in seconds."""
        look = dataclasses.replace(node_look(run_look(self.attempt, memory=memory)), monotonic=at)
        return [words for _, words in self.watch.judge(look)]

    def _exact(self, run: RunLook) -> int:
        self.asked += 1
        return run.usage.memory if self.exact is None else self.exact


def test_each_share_is_told_once_also_when_memory_was_given_back_meanwhile() -> None:
    run = Playing(1000 * MIB)
    assert [run.look(held * MIB) for held in (790, 800, 850, 900, 100, 810, 950)] == [
        [],
        ["uses 800 MiB of memory, 80 % of its limit of 1000 MiB"],
        [],
        ["uses 900 MiB of memory, 90 % of its limit of 1000 MiB"],
        [],
        [],
        [],
    ]
    assert run.asked == 2


def test_who_grows_fast_is_told_the_highest_share_only() -> None:
    assert Playing(1000 * MIB).look(950 * MIB) == ["uses 950 MiB of memory, 95 % of its limit of 1000 MiB"]


def test_pages_that_processes_share_do_not_count_and_are_not_counted_at_every_look() -> None:
    run = Playing(GIB)
    run.exact = GIB // 2
    assert [run.look(2 * GIB, at) for at in (0.0, 1.0, 2.0)] == [[], [], []]
    assert run.asked == 1
    run.exact = GIB
    assert run.look(2 * GIB, PATIENCE_SECONDS) == ["uses 1 GiB of memory, 100 % of its limit of 1 GiB"]


def test_nothing_is_told_of_runs_without_a_limit() -> None:
    run = Playing(0)
    assert run.look(64 * GIB) == []
    assert run.asked == 0
