"""The RunManager as its callers see it: created or found by name, awaited with a limit, its errors raised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

from runyard_actors.manager.direct import Direct, WayLostError
from runyard_actors.manager.door import Address
from runyard_actors.manager.gathering import Gathering
from runyard_actors.manager.identity import Identity
from runyard_actors.manager.messages import (
    Accepted,
    BatchEdit,
    BatchEnd,
    CancelAnswer,
    Refused,
    Submission,
    YardView,
)
from runyard_actors.manager.name import NAME
from runyard_actors.measure import RunUsage
from runyard_cluster.capacity import Capacity
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_head import NAMESPACE

#: A call takes a few milliseconds; a manager that restarts needs seconds. Past this the caller should know.
ANSWER_SECONDS = 30.0
#: Answers to at most this many waiting calls at once.
CONCURRENT_CALLS = 10_000

_LEFT = "this manager was left for another one"

Answer = TypeVar("Answer")


class ManagerClient:
    """Typed calls to the RunManager of the Ray this process is a driver of."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._gathering = Gathering(self._submit)
        self._direct = Direct(self._find_door)
        #: Calls that Ray carries, to be given up when the manager is left.
        self._carried: set[asyncio.Future[Any]] = set()

    @classmethod
    def create(cls, *, settings: Mapping[str, Any], capacity: Capacity) -> ManagerClient:
        """Create the manager on this node, where its store is, or find the one that lives.

        It outlives its creator and restarts by itself.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from runyard_actors.manager.shell import RunManager

        actor = ray.remote(RunManager).options(
            name=NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=CONCURRENT_CALLS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            ),
        )
        return cls(actor.remote(settings, capacity))

    async def identity(self) -> Identity:
        """Return whose manager it is."""
        found: Identity = await self._call("identity")
        return found

    async def ping(self, limit_seconds: float = 5.0) -> int:
        """Return the number of active runs. Raises StoreTakenOver by one that is not the store's writer any more."""
        return int(await self._call("ping", limit_seconds=limit_seconds))

    async def submit(self, submission: Submission) -> Accepted:
        """Accept a submission, durably, or raise why not."""
        return _granted(await _within(ANSWER_SECONDS, self._gathering.submit(submission)))

    async def cancel(self, run_ids: Sequence[str], why: str | None) -> CancelAnswer:
        """Cancel runs, queued or active."""
        answer: CancelAnswer = await self._call("cancel", list(run_ids), why)
        return answer

    async def cancel_batch(self, batch_id: str, why: str | None) -> CancelAnswer:
        """Cancel what is left of a batch."""
        answer: CancelAnswer = await self._call("cancel_batch", batch_id, why)
        return answer

    async def close_batch(self, batch_id: str) -> None:
        """Have an open batch take no more runs."""
        await self._call("close_batch", batch_id)

    async def note_notice(self, run_id: str | None, batch_id: str | None, words: str) -> None:
        """Show on a run, or without one on a batch, that somebody could not be told of its end."""
        await self._call("note_notice", run_id, batch_id, words)

    async def suspend(self, run_ids: Sequence[str]) -> None:
        """Hold running runs still."""
        await self._call("suspend", list(run_ids))

    async def resume_runs(self, run_ids: Sequence[str]) -> None:
        """Let runs go on that are held still."""
        await self._call("resume_runs", list(run_ids))

    async def edit_run(self, run_id: str, priority: int) -> None:
        """Give a run another priority."""
        await self._call("edit_run", run_id, priority)

    async def edit_batch(self, batch_id: str, what: BatchEdit) -> None:
        """Change the limit of a batch, and the priority of its runs."""
        await self._call("edit_batch", batch_id, what)

    async def hold(self, run_ids: Sequence[str]) -> None:
        """Hold queued runs until they are released."""
        await self._call("hold", list(run_ids))

    async def release(self, run_ids: Sequence[str]) -> None:
        """Let held runs start."""
        await self._call("release", list(run_ids))

    async def hold_batch(self, batch_id: str) -> None:
        """Hold what has not started of a batch."""
        await self._call("hold_batch", batch_id)

    async def release_batch(self, batch_id: str) -> None:
        """Let what is held of a batch start."""
        await self._call("release_batch", batch_id)

    async def retry_failed(self, batch_id: str, key: str | None, digest: str | None) -> Accepted:
        """Submit the failed runs of a batch again; with a key, once however often this is called."""
        answer: Accepted = await self._call("retry_failed", batch_id, key, digest)
        return answer

    async def bring_log(self, run_id: str, attempt: int) -> None:
        """Bring what an active attempt wrote on another node, for who reads its files here."""
        await self._call("bring_log", run_id, attempt)

    async def put_module(self, module_id: str, definition: Mapping[str, Any]) -> bool:
        """Set a module of the registry; return whether it is new."""
        return bool(await self._call("put_module", module_id, dict(definition)))

    async def delete_module(self, module_id: str) -> None:
        """Take a module out of the registry."""
        await self._call("delete_module", module_id)

    async def pause(self) -> None:
        """Start nothing new until `resume`."""
        await self._call("pause")

    async def drain(self, node: str) -> None:
        """Start nothing new on a node until `undrain`."""
        await self._call("drain", node)

    async def undrain(self, node: str) -> None:
        """Let runs start on a node again."""
        await self._call("undrain", node)

    async def resume(self) -> None:
        """Start runs again."""
        await self._call("resume")

    async def waiting_for(self, run_ids: Sequence[str], limit_seconds: float = 1.0) -> dict[str, str]:
        """Say for each queued run what it waits for; empty when the manager has no time."""
        try:
            answer: dict[str, str] = await self._call(
                "waiting_for", list(run_ids), limit_seconds=limit_seconds
            )
        except UnavailableError:
            return {}
        return answer

    async def expected_starts(self, run_ids: Sequence[str], limit_seconds: float = 1.0) -> dict[str, int]:
        """Say when queued runs may start, in microseconds since the epoch; empty when the manager has no time."""
        try:
            answer: dict[str, int] = await self._call(
                "expected_starts", list(run_ids), limit_seconds=limit_seconds
            )
        except UnavailableError:
            return {}
        return answer

    async def expected_end(self, batch_id: str, limit_seconds: float = 1.0) -> BatchEnd | None:
        """Say when the runs of a batch may have ended; None when nobody can tell, or the manager has no time."""
        try:
            answer: BatchEnd | None = await self._call("expected_end", batch_id, limit_seconds=limit_seconds)
        except UnavailableError:
            return None
        return answer

    async def view(self, limit_seconds: float = ANSWER_SECONDS) -> YardView:
        """Return the semaphore, the queue and the nodes."""
        answer: YardView = await self._call("view", limit_seconds=limit_seconds)
        return answer

    async def usage(self, limit_seconds: float = 2.0) -> list[RunUsage]:
        """Return what each active run uses now."""
        answer: list[RunUsage] = await self._call("usage", limit_seconds=limit_seconds)
        return answer

    async def wait_changes(self, after_seq: int, limit_seconds: float, gather_seconds: float) -> int:
        """Return the last event number once it passed `after_seq`, or after the limit.

        For `gather_seconds` after that, while anything is active, further ones join.
        """
        return int(
            await self._call(
                "wait_changes", after_seq, limit_seconds, gather_seconds, limit_seconds=limit_seconds + 30
            )
        )

    async def close(self) -> None:
        """Have the manager write what is pending and release the store, also if it was left already."""
        asked = self._carry("close", ()) if self._direct.is_closed else self._ask("close", ())
        _granted(await _within(ANSWER_SECONDS, asked))
        self.leave()

    def leave(self) -> None:
        """Have done with the manager, which goes on; calls under way are not waited for any more."""
        self._direct.close()
        for call in self._carried:
            call.cancel()

    def kill(self) -> None:
        """End the manager for good."""
        import ray

        ray.kill(self._handle, no_restart=True)

    async def _call(self, method: str, *args: Any, limit_seconds: float = ANSWER_SECONDS) -> Any:
        return _granted(await _within(limit_seconds, self._ask(method, args)))

    async def _submit(self, submissions: Sequence[Submission]) -> list[Accepted | Refused]:
        answers: list[Accepted | Refused] = await self._call("submit", submissions)
        return answers

    async def _ask(self, method: str, args: Sequence[Any]) -> Any:
        """Carry one call to the manager and its answer back. Raises UnavailableError.

        Every call may be made twice, so one of which nothing was heard any more is: Ray starts a lost manager again.
        """
        if (way := self._direct.way()) is not None:
            try:
                return await way.call(method, args)
            except WayLostError as error:
                if self._direct.is_closed:
                    raise UnavailableError(_LEFT) from error
        return await self._ask_through_ray(method, args)

    async def _find_door(self) -> Address | None:
        door: Address | None = await self._ask_through_ray("door", ())
        return door

    async def _ask_through_ray(self, method: str, args: Sequence[Any]) -> Any:
        if self._direct.is_closed:
            raise UnavailableError(_LEFT)
        return await self._carry(method, args)

    async def _carry(self, method: str, args: Sequence[Any]) -> Any:
        from ray.exceptions import RayError

        call = asyncio.ensure_future(_through_shell(self._handle, method, args))
        self._carried.add(call)
        try:
            await asyncio.wait([call])
            return call.result()
        except RayError as error:
            raise UnavailableError(f"the manager cannot be reached ({type(error).__name__})") from error
        except asyncio.CancelledError:
            # Either the manager was left, and only the call is given up, or whoever asked is.
            if call.cancelled():
                raise UnavailableError(_LEFT) from None
            raise
        finally:
            self._carried.discard(call)
            call.cancel()


async def _through_shell(handle: Any, method: str, args: Sequence[Any]) -> Any:
    ask = getattr(handle, "ask", None)
    if ask is None:
        raise UnavailableError(
            "the manager that is there is of an earlier version; end it with that version's `runyard down`"
        )
    return await ask.remote(method, args)


async def _within(limit_seconds: float, answer: Awaitable[Answer]) -> Answer:
    """Return the answer. Raises UnavailableError when it does not come in time."""
    try:
        async with asyncio.timeout(limit_seconds):
            return await answer
    except TimeoutError as error:
        raise UnavailableError(f"the manager did not answer in {limit_seconds:g} s") from error


def _granted(answer: Answer | Refused) -> Answer:
    """Return the answer, or raise the error that it is."""
    if isinstance(answer, Refused):
        raise answer.error
    return answer
