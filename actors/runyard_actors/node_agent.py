"""The node agent: starts attempts on its node, finds those that run already, and tells how each ended."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from runyard_actors.assignment import Assignment, Started, shim_spec
from runyard_actors.ending import finished, outcome_of, told, unfinished
from runyard_actors.module_environment import node_environment
from runyard_actors.run import Outcome, Reason
from runyard_actors.run_folder import RunFolder
from runyard_actors.shipment import Shipment
from runyard_actors.spawner.spawners import Launched, Spawners
from runyard_cluster import process
from runyard_cluster.code import archive_name, forget_unchanged, unpack
from runyard_cluster.failpoint import hit

#: A shim may go on after the run that is waited for, so the run's lock is looked at besides, this often.
LOOK_SECONDS = 5.0
#: A shim that holds its attempt has started the module within this, and is looked at this often meanwhile.
CHILD_SECONDS = 10.0
CHILD_LOOK_SECONDS = 0.05

Json = dict[str, Any]


class NodeAgent:
    """Works on its callers' event loop. Whatever touches the disk of the runs does so in the shim or in a thread, so
    that a slow one holds nobody else up.
    """

    def __init__(self) -> None:
        self._environment = node_environment(os.environ)
        self._spawners = Spawners(self._environment)
        self._boot_id = process.boot_id()

    @property
    def spawner_pids(self) -> list[int]:
        """The processes that become shims."""
        return self._spawners.pids

    def close(self) -> None:
        """Let the spawners end; what runs goes on."""
        self._spawners.close()

    async def keep(self, assignment: Assignment, on_started: Callable[[Started], None]) -> Outcome:
        """Start the attempt, or adopt it when it was started before; return how it ended.

        At most once: the store committed the attempt before this is called, and the shim itself refuses a folder
        that is locked or claimed. Raises nothing: whatever goes wrong is the attempt's outcome.
        """
        folder = RunFolder(assignment.folder)
        try:
            if assignment.boot_id != self._boot_id:
                outcome = await asyncio.to_thread(finished, assignment, folder)
                return _lost_with_the_boot() if outcome is None else outcome
            return await self._see_through(assignment, folder, on_started)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return outcome_of(Reason.START_ERROR, f"the run's folder cannot be used: {error.strerror}{where}")

    async def _see_through(
        self, assignment: Assignment, folder: RunFolder, tell: Callable[[Started], None]
    ) -> Outcome:
        record: Json | None = None
        if not assignment.is_new and await asyncio.to_thread(folder.is_begun):
            await _adopt(assignment, folder, tell)
        else:
            hit("agent.before_launch")
            if assignment.code is not None:
                await asyncio.to_thread(_unpack_code, assignment.code, assignment, folder)
            launched = await self._spawners.launch(folder, shim_spec(assignment, folder, self._environment))
            hit("agent.after_launch")
            report = launched.report
            if report.event == "start_error" and not await asyncio.to_thread(folder.started):
                launched.close()
                return outcome_of(Reason.START_ERROR, report.why or "the shim could not use the run's folder")
            record = await self._until_ended(assignment, folder, launched, tell)
        outcome = told(record)
        if outcome is None:
            outcome = await asyncio.to_thread(_found_out, assignment, folder, record)
        if assignment.code is not None:
            await asyncio.to_thread(forget_unchanged, folder.code_copy)
        return outcome

    async def _until_ended(
        self,
        assignment: Assignment,
        folder: RunFolder,
        launched: Launched,
        tell: Callable[[Started], None],
    ) -> Json | None:
        """Wait for the end, and return the shim's record of it if the shim told that, too."""
        report = launched.report
        if report.event != "started" or launched.line is None:
            launched.close()
            await _adopt(assignment, folder, tell)
            return None
        tell(_started(assignment, report.pid, report.shim_pid, report.started_at, report.enforcement))
        try:
            return await launched.ended()
        except asyncio.CancelledError:
            launched.close()
            raise


async def _adopt(assignment: Assignment, folder: RunFolder, tell: Callable[[Started], None]) -> None:
    """Tell of an attempt whose shim is not ours to hear from, and wait for its end."""
    await asyncio.to_thread(_await_child, folder)
    claim, child = await asyncio.to_thread(folder.started), await asyncio.to_thread(folder.child)
    if claim and child and {"shim_pid", "started_at"} <= claim.keys():
        enforcement = child.get("enforcement") or claim.get("enforcement", {})
        tell(_started(assignment, child["pid"], claim["shim_pid"], claim["started_at"], enforcement))
    await _ended(folder, int((claim or {}).get("shim_pid", 0)))


def _found_out(assignment: Assignment, folder: RunFolder, record: Json | None) -> Outcome:
    outcome = finished(assignment, folder, record)
    return unfinished(assignment, folder) if outcome is None else outcome


def _unpack_code(code: Shipment, assignment: Assignment, folder: RunFolder) -> None:
    folder.create()
    unpack(Path(assignment.code_folder, archive_name(code.digest)), folder.code_copy)


def _started(assignment: Assignment, pid: Any, shim_pid: Any, at: Any, enforcement: Any) -> Started:
    return Started(
        run_id=assignment.run_id,
        attempt=assignment.attempt,
        pid=int(pid),
        shim_pid=int(shim_pid),
        started_at=int(at),
        enforcement=enforcement,
    )


def _await_child(folder: RunFolder) -> None:
    """Wait until a shim that is not ours to hear from has started its module; a full disk may keep it from telling."""
    end = time.monotonic() + CHILD_SECONDS
    while folder.child() is None and folder.is_alive() and time.monotonic() < end:
        time.sleep(CHILD_LOOK_SECONDS)


def _lost_with_the_boot() -> Outcome:
    return outcome_of(Reason.NODE_LOST, "the machine restarted while the run was active", ended_by="node")


async def _ended(folder: RunFolder, shim_pid: int) -> None:
    """Wait until no shim holds the attempt: by its process where the system can tell of that, else by its lock."""
    descriptor = process.exit_descriptor(shim_pid)
    if descriptor is None:
        return await _in_thread(folder.wait_end)
    try:
        # The lock is held, so the number that the descriptor was made from was still the shim's.
        while await asyncio.to_thread(folder.is_alive):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await _readable(descriptor)
            except TimeoutError:
                continue
    finally:
        os.close(descriptor)


async def _readable(descriptor: int) -> None:
    loop, is_readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def _in_thread(wait: Callable[[], None]) -> None:
    """Wait in a thread that keeps nobody from leaving: there may be hundreds, each for as long as its run takes."""
    ended = Future[None]()

    def work() -> None:
        wait()
        if not ended.cancelled():
            ended.set_result(None)

    threading.Thread(target=work, name="end of a run", daemon=True).start()
    await asyncio.wrap_future(ended)
