"""The RunManager: it receives, hands to one verb, and answers; `shell.py` is what Ray knows of it.

Every method may be repeated by Ray after a crash, so each is idempotent. Errors leave as `Refused` values.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from runyard_actors.manager import (
    back_up,
    boot,
    bring,
    cancel,
    close_batch,
    drain,
    edit,
    end,
    follow_nodes,
    hold,
    modules,
    pause_when,
    prune,
    retry_failed,
    start,
    submit,
    suspend,
    view,
    watch,
)
from runyard_actors.manager.door import Address, Door
from runyard_actors.manager.expected import Expectations
from runyard_actors.manager.follow_nodes import Cluster
from runyard_actors.manager.identity import Identity, identity_of
from runyard_actors.manager.last_line import with_last_lines
from runyard_actors.manager.messages import (
    Accepted,
    BatchEdit,
    BatchEnd,
    CancelAnswer,
    Refused,
    Submission,
    YardView,
)
from runyard_actors.manager.yard import Leases, Yard
from runyard_actors.measure import RunUsage
from runyard_actors.node_meter import NodeMeter
from runyard_actors.run import BatchId, RunId
from runyard_actors.store.changes import NoticeFailed
from runyard_actors.store.errors import StoreTakenOver
from runyard_cluster import process
from runyard_cluster.capacity import Capacity
from runyard_cluster.errors import RunyardError, UnavailableError
from runyard_cluster.failpoint import hit
from runyard_cluster.pause import PauseWatch
from runyard_cluster.server_record import Endpoint, running_server
from runyard_cluster.settings import Settings
from runyard_cluster.settle import settle

log = logging.getLogger("runyard.manager")

Answer = TypeVar("Answer")


class RunManager:
    """Holds the semaphore, the queue and the active runs; the store's only writer; rebuilt from the store."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        capacity: Capacity,
        leases: Leases | None = None,
        meter: NodeMeter | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        """Rebuild the yard from the store; `leases` are Ray's if left out, and `meter` looks at this node.

        `cluster` tells of other nodes; Ray's if left out, where `ray_address` names one.
        """
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        hit("manager.boot")
        known = Settings.model_validate(settings)
        self._yard = Yard(
            settings=known,
            data_dir=known.data,
            capacity=capacity,
            boot_id=process.boot_id(),
            leases=leases or _ray_leases(capacity),
        )
        if leases is None:
            # Ray made this process for the manager.
            settle()
        self._door = Door(self, known.data.manager_socket)
        self._changed = asyncio.Event()
        self._expectations = Expectations(self._yard)
        loop = asyncio.get_running_loop()
        self._yard.writer.on_commit = lambda seq: _call(loop, self._note_commit, seq)
        self._last_seq = 0
        self._yard.on_starts = partial(start.start, self._yard)
        self._yard.on_drops = partial(end.drop, self._yard)
        if known.data.paused_file.exists():
            self._yard.core.pause()
        rules = PauseWatch(known.pause_when)
        pause_when.first_look(self._yard, rules)
        self._yard.drained = drain.read_drained(known.data)
        boot.rebuild(self._yard)
        self._last_seq = self._yard.reader.last_seq()
        self._yard.spawn(self._yard.leases.tidy_for_ever(), "tidy leases")
        self._yard.spawn(watch.watch(self._yard, meter), "watch the node")
        if cluster or known.ray_address != "local":
            cluster = cluster or _ray_nodes(self._yard)
            self._yard.spawn(follow_nodes.follow_nodes(self._yard, cluster), "follow nodes")
            self._yard.spawn(bring.bring_for_ever(self._yard), "bring logs")
        else:
            self._yard.is_cluster_known.set()
        self._yard.spawn(pause_when.pause_when(self._yard, rules), "ask pause_when")
        self._yard.spawn(prune.prune_for_ever(self._yard), "prune")
        self._yard.spawn(back_up.back_up_for_ever(self._yard), "back up")

    async def door(self) -> Address | None:
        """Say where a server on this machine finds the door."""
        return await self._door.open()

    async def endpoint(self) -> Endpoint | None:
        """Say where the server of this manager listens, for drivers of the same Ray."""
        return running_server(self._yard.data_dir)

    async def identity(self) -> Identity:
        """Say whose manager this is."""
        yard, server = self._yard, running_server(self._yard.data_dir)
        settings = yard.settings.model_dump(mode="json")
        return identity_of(yard.capacity.node, yard.data_dir, settings, server.url if server else None)

    async def ping(self) -> int | Refused:
        """Answer with the number of active runs."""
        return Refused(StoreTakenOver()) if self._yard.is_stale else len(self._yard.active)

    async def submit(self, submissions: Sequence[Submission]) -> list[Accepted | Refused]:
        """Accept each submission, durably, or refuse it whole; their commits are one."""
        return await asyncio.gather(*(_submitted(self._yard, each) for each in submissions))

    async def cancel(self, run_ids: Sequence[RunId], why: str | None) -> CancelAnswer | Refused:
        """Cancel runs, queued or active."""
        return await _guarded(cancel.cancel(self._yard, run_ids, why))

    async def cancel_batch(self, batch_id: BatchId, why: str | None) -> CancelAnswer | Refused:
        """Cancel what is left of a batch."""
        return await _guarded(cancel.cancel_batch(self._yard, batch_id, why))

    async def close_batch(self, batch_id: BatchId) -> Refused | None:
        """Have an open batch take no more runs."""
        return await _guarded(close_batch.close_batch(self._yard, batch_id))

    async def note_notice(self, run_id: RunId | None, batch_id: BatchId | None, words: str) -> None:
        """Show on a run, or without one on a batch, that somebody could not be told of its end."""
        at = time.time_ns() // 1000
        await self._yard.write_surely([NoticeFailed(run_id=run_id, batch_id=batch_id, words=words, at=at)])

    async def suspend(self, run_ids: Sequence[RunId]) -> Refused | None:
        """Hold running runs still."""
        return await _guarded(suspend.suspend(self._yard, run_ids))

    async def resume_runs(self, run_ids: Sequence[RunId]) -> Refused | None:
        """Let runs go on that are held still."""
        return await _guarded(suspend.resume(self._yard, run_ids))

    async def edit_run(self, run_id: RunId, priority: int) -> Refused | None:
        """Give a run another priority."""
        return await _guarded(edit.edit_run(self._yard, run_id, priority))

    async def edit_batch(self, batch_id: BatchId, what: BatchEdit) -> Refused | None:
        """Change the limit of a batch, and the priority of its runs."""
        return await _guarded(edit.edit_batch(self._yard, batch_id, what))

    async def hold(self, run_ids: Sequence[RunId]) -> Refused | None:
        """Hold queued runs until they are released."""
        return await _guarded(hold.hold(self._yard, run_ids))

    async def release(self, run_ids: Sequence[RunId]) -> Refused | None:
        """Let held runs start."""
        return await _guarded(hold.release(self._yard, run_ids))

    async def hold_batch(self, batch_id: BatchId) -> Refused | None:
        """Hold what has not started of a batch."""
        return await _guarded(hold.hold_batch(self._yard, batch_id))

    async def release_batch(self, batch_id: BatchId) -> Refused | None:
        """Let what is held of a batch start."""
        return await _guarded(hold.release_batch(self._yard, batch_id))

    async def retry_failed(
        self, batch_id: BatchId, key: str | None, digest: str | None
    ) -> Accepted | Refused:
        """Submit the failed runs of a batch again, as new runs of the same batch."""
        return await _guarded(retry_failed.retry_failed(self._yard, batch_id, key, digest))

    async def hold_lease(self, lease_id: int) -> bool:
        """A lease tells that Ray granted it; the answer is whether it is still wanted, after a while or at its end."""
        return await self._yard.leases.hold(lease_id)

    async def bring_log(self, run_id: RunId, attempt: int) -> Refused | None:
        """Bring what an active attempt wrote on another node, for who reads its files here."""
        return await _guarded(bring.bring(self._yard, run_id, attempt))

    async def put_module(self, module_id: str, definition: Mapping[str, Any]) -> bool | Refused:
        """Set a module of the registry; answer whether it is new."""
        return await _guarded(modules.put_module(self._yard, module_id, definition))

    async def delete_module(self, module_id: str) -> Refused | None:
        """Take a module out of the registry."""
        return await _guarded(modules.delete_module(self._yard, module_id))

    async def pause(self) -> None:
        """Start nothing new until `resume`, also after a restart."""
        self._yard.data_dir.paused_file.touch(mode=0o600)
        self._yard.core.pause()

    async def drain(self, node: str) -> Refused | None:
        """Start nothing new on a node until `undrain`, also after a restart."""
        return await _guarded(drain.drain(self._yard, node))

    async def undrain(self, node: str) -> Refused | None:
        """Let runs start on a node again."""
        return await _guarded(drain.undrain(self._yard, node))

    async def resume(self) -> None:
        """Start runs again."""
        self._yard.data_dir.paused_file.unlink(missing_ok=True)
        self._yard.core.resume()
        self._yard.pump()

    async def waiting_for(self, run_ids: Sequence[RunId]) -> dict[str, str]:
        """Say for each queued run what it waits for."""
        return view.waiting_for(self._yard, run_ids)

    async def expected_starts(self, run_ids: Sequence[RunId]) -> dict[str, int]:
        """Say when queued runs may start, of those that it can be told of."""
        return await self._expectations.starts(run_ids)

    async def expected_end(self, batch_id: BatchId) -> BatchEnd | None:
        """Say when the runs of a batch may have ended, of those that it can be told of."""
        return await self._expectations.batch_end(batch_id)

    async def view(self) -> YardView:
        """Return the semaphore, the queue and the nodes as they are now."""
        return view.view(self._yard)

    async def usage(self) -> list[RunUsage]:
        """Return what each active run used when the node was last looked at, and the last line it printed by now.

        Logs are read for who asks, and for nobody else: the server asks once a second while anybody listens.
        """
        return await asyncio.to_thread(with_last_lines, view.usage(self._yard))

    async def wait_changes(self, after_seq: int, limit_seconds: float, gather_seconds: float = 0.0) -> int:
        """Return the store's last event number once it is greater than `after_seq`, or after the limit.

        For `gather_seconds` after that, while anything is active, further ones join: the end of all is told at once.
        """
        if self._last_seq <= after_seq:
            await self._wait_change(limit_seconds)
        until = time.monotonic() + gather_seconds
        while self._yard.active and (left := until - time.monotonic()) > 0:
            await self._wait_change(left)
        return self._last_seq

    async def _wait_change(self, limit_seconds: float) -> None:
        try:
            async with asyncio.timeout(limit_seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Write what is pending and release the store; running modules go on under their shims."""
        self._door.close()
        await self._yard.close()

    def _note_commit(self, seq: int) -> None:
        self._last_seq = max(self._last_seq, seq)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _ray_nodes(yard: Yard) -> Cluster:
    from runyard_actors.nodes.ray_nodes import RayNodes

    return RayNodes(yard.data_dir, yard.settings.reserve_memory, yard.capacity.node)


def _ray_leases(capacity: Capacity) -> Leases:
    from runyard_actors.leases.ray_leases import RayLeases

    return RayLeases(capacity)


def _call(loop: asyncio.AbstractEventLoop, callback: Any, seq: int) -> None:
    try:
        loop.call_soon_threadsafe(callback, seq)
    except RuntimeError:
        log.info("commit %s after the loop closed", seq)


async def _submitted(yard: Yard, submission: Submission) -> Accepted | Refused:
    try:
        return await _guarded(submit.submit(yard, submission))
    except Exception as error:
        # A fault of ours at one submission must not take the answers away from those it came with.
        log.exception("a submission was not accepted")
        return Refused(UnavailableError(f"the manager failed at it ({type(error).__name__}); send it again"))


async def _guarded(work: Awaitable[Answer]) -> Answer | Refused:
    try:
        return await work
    except RunyardError as error:
        return Refused(error)
