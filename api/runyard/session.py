"""A session: one connection to a server, one stream of events, and the handles that live by it."""

from __future__ import annotations

import asyncio
import atexit
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

from runyard.background import Background
from runyard.batch import Batch
from runyard.client import Client
from runyard.ended import is_ended
from runyard.run import Run, RunResult, error_class
from runyard.submitting import REASON, Submitting
from runyard_actors.store.event_kinds import EVENT_KINDS
from runyard_cluster.errors import ConflictError, RunError, RunyardError

#: Log lines that an exception carries.
ERROR_LOG_LINES = 20

#: What changes a run or ends its batch. Where one is about to start is told again with its start, and that runs were
#: submitted concerns only who holds an open batch.
KINDS = frozenset(k for k in EVENT_KINDS if k.startswith("run_") or k == "batch_closed") - {"run_starting"}
KINDS_OF_MOST = KINDS - {"run_submitted"}

#: Runs asked for by id in one call: an address of some 10 kB, well below what servers take.
IDS_AT_ONCE = 300


class Session:
    """Handles of one caller. Their states come over one stream, so nobody ever polls a run."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._background = Background.shared()
        self._runs: dict[str, Run] = {}
        self._early: dict[str, Mapping[str, Any]] = {}
        #: Open batches that somebody holds, by id, and those that were closed before their id was known here.
        self._open_batches: WeakValueDictionary[str, Batch] = WeakValueDictionary()
        self._early_closed: set[str] = set()
        self._submitting = 0
        self._was_interrupted = False
        self._seen: int | None = None
        self._kinds: Set[str] = KINDS_OF_MOST
        self._listener: Future[None] = Future()
        try:
            self._opened: asyncio.Event = self._background.call(_event())
            self._listener = self._background.start(self._listen())
            self._background.call(self._open())
            atexit.register(self._at_exit)
        except BaseException:
            # Nobody has it in hand, and its stream would keep an embedded server from leaving.
            self.close()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether its stream has ended, so that handles made now would never hear of their end."""
        return self._listener.done()

    def close(self) -> None:
        """Leave the server; what was submitted goes on."""
        self._listener.cancel()
        atexit.unregister(self._at_exit)
        self.client.close()

    def submit(self, body: Mapping[str, Any], key: str | None) -> Run:
        """Submit one run. Interrupted by Ctrl-C, it leaves none, unless it has a key to be found by."""
        with (
            Submitting(lambda own: self.client.submit(body, own), self._undo_run, key) as submitting,
            self._catching_early_ends(),
        ):
            return self._handle(submitting.submit())

    def submit_batch(self, body: Mapping[str, Any], key: str | None) -> Batch:
        """Submit a batch. Interrupted by Ctrl-C, it leaves none, unless it has a key to be found by."""
        if body.get("open"):
            self._listen_to_all()
        with (
            Submitting(lambda own: self.client.submit_batch(body, own), self._undo_batch, key) as submitting,
            self._catching_early_ends(),
        ):
            answer = submitting.submit()
            batch = self._batch(answer, body, is_open=answer["open"])
            if batch.is_open:
                self._open_batches[batch.batch_id] = batch
                if batch.batch_id in self._early_closed:
                    batch.on_closed()
            return batch

    def add_runs(self, batch: Batch, body: Mapping[str, Any], key: str | None) -> list[Run]:
        """Add runs to an open batch."""
        with (
            Submitting(
                lambda own: self.client.add_runs(batch.batch_id, body, own), self._undo_added, key
            ) as submitting,
            self._catching_early_ends(),
        ):
            answer = submitting.submit()
            return [batch.joined(fields, self._handle) for fields in self._fields(answer, body)]

    def retry_failed(self, batch: Batch) -> Batch:
        """Submit the failed runs of a batch again."""
        with (
            Submitting(
                lambda own: self.client.retry_failed(batch.batch_id, own), self._undo_batch
            ) as submitting,
            self._catching_early_ends(),
        ):
            return self._batch(submitting.submit(), {})

    def restart(self, run: Run, edits: Mapping[str, Any]) -> Run:
        """Submit a run again."""
        with (
            Submitting(lambda own: self.client.restart(run.run_id, edits, own), self._undo_run) as submitting,
            self._catching_early_ends(),
        ):
            return self._handle(submitting.submit())

    def cancel(self, run: Run, reason: str | None) -> bool:
        """Cancel a run; return whether that was still possible."""
        try:
            run.update(self.client.cancel(run.run_id, reason))
        except ConflictError:
            return False
        return True

    def log(self, run_id: str, tail: int | None) -> str:
        """Return a log as text."""
        return self.client.log(run_id, tail=tail).decode("utf-8", "replace")

    def follow(self, run_id: str) -> Iterator[str]:
        """Yield a log's lines as they come."""
        rest = b""
        for block in self.client.follow_log(run_id):
            *lines, rest = (rest + block).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace")

    async def awaited(self, run: Run) -> RunResult:
        """Wait for a run on the caller's own loop."""
        fields = await asyncio.wrap_future(run._ended)
        if fields["status"] != "completed":
            raise await asyncio.to_thread(self.error_of, run)
        return RunResult(fields, self)

    def error_of(self, run: Run) -> RunError:
        """Return the exception for a run that did not complete, with the end of its log."""
        fields = run.fields
        tail = ""
        if fields.get("log_bytes"):
            try:
                tail = self.log(run.run_id, ERROR_LOG_LINES)
            except RunyardError:
                pass
        message = (
            f"run {run.run_id} of {fields.get('module_id')} {fields['status']}: {fields.get('reason_detail')}; "
            f"its log: runyard logs {run.run_id}"
        )
        return error_class(fields)(message, fields, tail)

    @contextmanager
    def cancelling_on_interrupt(self, runs: Sequence[Run], batch_id: str | None = None) -> Iterator[None]:
        """Within: Ctrl-C cancels these runs if the server was started for this caller, says so, and goes on up."""
        try:
            yield
        except KeyboardInterrupt:
            self._cancel_own(runs)
            raise

    def _cancel_own(self, runs: Sequence[Run]) -> None:
        self._was_interrupted = True
        left = [run for run in runs if not run.done()]
        if not left or not self.client.is_embedded:
            return
        batches = {run.fields.get("batch_id") for run in left} - {None}
        for batch_id in batches:
            self.client.cancel_batch(str(batch_id), REASON)
        for run in left:
            if run.fields.get("batch_id") is None:
                self.cancel(run, REASON)
        print(f"runyard: interrupted; {len(left)} runs were cancelled", file=sys.stderr)  # noqa: T201 it is told to the person at the terminal

    def _undo_run(self, accepted: Mapping[str, Any]) -> None:
        with suppress(ConflictError):
            self.client.cancel(accepted["run_id"], REASON)

    def _undo_added(self, accepted: Mapping[str, Any]) -> None:
        for run in accepted["runs"]:
            self._undo_run(run)

    def _undo_batch(self, accepted: Mapping[str, Any]) -> None:
        if accepted.get("open"):
            self.client.close_batch(accepted["batch_id"])
        self.client.cancel_batch(accepted["batch_id"], REASON)

    def _handle(self, fields: Mapping[str, Any]) -> Run:
        # A submit repeated by its key is answered with runs that somebody may be waiting for already.
        run = self._runs.setdefault(fields["run_id"], Run(fields, self))
        if early := self._early.pop(run.run_id, None):
            self._take(early)
        elif is_ended(fields):
            self._take(fields)
        return run

    def _batch(self, answer: Mapping[str, Any], body: Mapping[str, Any], *, is_open: bool = False) -> Batch:
        runs = [self._handle(fields) for fields in self._fields(answer, body)]
        return Batch(answer["batch_id"], answer["name"], runs, self, is_open=is_open)

    def _fields(self, answer: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what is known of the runs of an answer: of those that have ended, everything."""
        batch_id, sent = answer["batch_id"], body.get("runs", ())
        ended = self._whole([short["run_id"] for short in answer["runs"] if is_ended(short)])
        for index, short in enumerate(answer["runs"]):
            module_id = sent[index].get("module_id") if index < len(sent) else None
            known = {"module_id": module_id} if module_id else {}
            whole = ended.get(short["run_id"], {})
            yield {**short, **known, "batch_id": batch_id, **whole}

    def _whole(self, run_ids: Sequence[str]) -> dict[str, Any]:
        """Return runs that no event will tell of, by id: those that had ended before a repeated submit."""
        found: dict[str, Any] = {}
        for start in range(0, len(run_ids), IDS_AT_ONCE):
            some = run_ids[start : start + IDS_AT_ONCE]
            found |= {r["run_id"]: r for r in self.client.runs(run_id=some, limit=len(some))["runs"]}
        return found

    @contextmanager
    def _catching_early_ends(self) -> Iterator[None]:
        """Keep what the stream tells of runs whose ids are not known here yet."""
        self._submitting += 1
        try:
            yield
        finally:
            self._submitting -= 1
            if not self._submitting:
                self._early.clear()
                self._early_closed.clear()

    async def _open(self) -> None:
        """Wait until the stream is open. Raises what kept it from that."""
        opened = asyncio.ensure_future(self._opened.wait())
        listener = asyncio.wrap_future(self._listener)
        try:
            await asyncio.wait((opened, listener), return_when=asyncio.FIRST_COMPLETED)
            if not opened.done():
                await listener
        finally:
            opened.cancel()

    async def _listen(self) -> None:
        try:
            async for event in self.client.asynchronous.events(self._seen, self._kinds):
                self._seen = event.get("seq", self._seen)
                if event["kind"] == "open":
                    self._opened.set()
                elif fields := event.get("run"):
                    if event["kind"] == "run_submitted" and fields["batch_id"] in self._open_batches:
                        self._join(fields)
                    self._take(fields)
                elif event["kind"] == "batch_closed":
                    self._on_closed(event["batch_id"])
        except RunyardError as error:
            # Nobody would tell those who wait; they learn that the server is gone, and not for how long.
            for run in list(self._runs.values()):
                run.lose(error)
            for batch in list(self._open_batches.values()):
                batch.lose(error)
            raise

    def _listen_to_all(self) -> None:
        """Hear of submitted runs, too, from what was heard last on."""
        if self._kinds is not KINDS:
            self._kinds = KINDS
            self._listener.cancel()
            self._listener = self._background.start(self._listen())

    def _join(self, fields: Mapping[str, Any]) -> None:
        """Somebody added a run to an open batch; what tries a failed one again is none of its own."""
        batch = self._open_batches.get(fields["batch_id"])
        if batch is not None and fields["restarted_from"] is None:
            batch.joined(fields, self._handle)

    def _on_closed(self, batch_id: str) -> None:
        batch = self._open_batches.pop(batch_id, None)
        if batch is not None:
            batch.on_closed()
        elif self._submitting:
            self._early_closed.add(batch_id)

    def _take(self, fields: Mapping[str, Any]) -> None:
        run = self._runs.get(fields["run_id"])
        if run is not None:
            run.update(fields)
            if run.done():
                self._runs.pop(run.run_id, None)
        elif self._submitting:
            self._early[fields["run_id"]] = fields

    def _at_exit(self) -> None:
        """A Ctrl-C that ended the program outside of a wait cancels what it submitted, too."""
        if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt) and not self._was_interrupted:
            self._cancel_own(list(self._runs.values()))


async def _event() -> asyncio.Event:
    return asyncio.Event()
