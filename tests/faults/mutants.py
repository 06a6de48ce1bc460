"""Servers that break a promise on purpose, by which it is seen that the tests of faults would notice.

Run as a program it serves as `tests.server_process` does, with the fault that its first argument names.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runyard_actors.assignment import Assignment
from runyard_actors.manager import boot
from runyard_actors.node_agent import NodeAgent
from runyard_actors.run_folder import RunFolder
from runyard_actors.store.changes import Change, RunsSubmitted
from runyard_actors.store.records import StoredState
from runyard_actors.store.writer import StoreWriter, _Asked
from tests import server_process

#: Long enough for a busy machine to be killed meanwhile.
LATE_SECONDS = 8.0


def answers_before_the_disk_has_it() -> None:
    """Say that runs are stored, and store them some time later."""
    write, commit = StoreWriter.write_beside, StoreWriter._commit

    def early(self: StoreWriter, changes: Sequence[Change]) -> asyncio.Future[None]:
        write(self, changes)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def late(self: StoreWriter, group: list[_Asked]) -> Any:
        if any(isinstance(change, RunsSubmitted) for asked in group for change in asked.changes):
            time.sleep(LATE_SECONDS)
        return commit(self, group)

    StoreWriter.write_beside, StoreWriter._commit = early, late  # type: ignore[method-assign] # this is the fault


def admits_before_it_adopts() -> None:
    """Take what was active for what never ran, after a restart, and start something."""
    load = boot.load_state

    def forgetful(database: Path) -> StoredState:
        state = load(database)
        again = [dataclasses.replace(a.run, attempts_used=a.attempt) for a in state.active]
        return dataclasses.replace(state, active=(), queued=[*again, *state.queued])

    boot.load_state = forgetful  # type: ignore[attr-defined] # this is the fault


def starts_without_looking() -> None:
    """Start an attempt anew whose folder says that it was started."""
    keep = NodeAgent.keep

    async def careless(self: NodeAgent, assignment: Assignment, tell: Any) -> Any:
        if RunFolder(assignment.folder).started():
            assignment = dataclasses.replace(assignment, folder=f"{assignment.folder}0")
        return await keep(self, assignment, tell)

    NodeAgent.keep = careless  # type: ignore[method-assign] # this is the fault


def keeps_every_promise() -> None:
    """Change nothing."""


MUTANTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        answers_before_the_disk_has_it,
        admits_before_it_adopts,
        starts_without_looking,
        keeps_every_promise,
    )
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    server_process.main()
