"""The writer: the store's only connection that changes anything, in a thread of its own.

While one commit waits for the disk, further calls gather; they share the next commit, each of them whole or
not at all. A call is answered once its commit is on disk.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import ChainMap, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from runyard_actors.store.apply import apply
from runyard_actors.store.call import ENDED, Call
from runyard_actors.store.changes import Change, RunsSubmitted
from runyard_actors.store.connection import BUSY_SECONDS
from runyard_actors.store.database import Connection, Cursor, database
from runyard_actors.store.errors import StoreError, StoreGone, StoreTakenOver, StoreUnavailable, gone
from runyard_actors.store.queries import sql
from runyard_cluster.database_url import Where
from runyard_cluster.errors import ConflictError, RunyardError

log = logging.getLogger("runyard.store")

#: A commit takes in no more once it holds so many changes or runs: its first caller waits for all of it.
GROUP_LIMIT = 10_000
#: In a storm, after a commit of several calls the next ones gather, for so long at most and so long for each beside the
#: first: a storm of short runs costs half the commits, and who is alone waits for nobody.
GATHER_SECONDS, GATHER_SECONDS_EACH = 0.002, 0.0005
#: It is a storm after so many commits in a row, each within so long of the last: a few runs that end together and the
#: next ones in their place are none, and what they wait for is all the delay there is.
STORM_COMMITS, STORM_SECONDS = 20, 0.005
#: What is wrong with a call, and not with the database.
_FAULTS = (sqlite3.IntegrityError, TypeError, ValueError, OverflowError, RecursionError)


#: A future of an event loop, and what it ends with: nothing, or an error.
_Answer: TypeAlias = tuple[asyncio.Future[None], Exception | None]


@dataclass(slots=True)
class _Asked:
    changes: Sequence[Change]
    future: Future[None] | asyncio.Future[None]
    at: float = field(default_factory=time.monotonic)

    @property
    def is_wanted(self) -> bool:
        """Whether nobody cancelled it; from now on it is carried out."""
        if isinstance(self.future, Future):
            return self.future.set_running_or_notify_cancel()
        return not self.future.cancelled()

    @property
    def size(self) -> int:
        return sum(len(c.specs) if isinstance(c, RunsSubmitted) else 1 for c in self.changes)


class StoreWriter:
    """Commits changes durably, many calls per commit.

    `on_commit(last_event_seq)` is called in the writer's thread after each commit. When another writer opens
    the same database, this one refuses everything from then on.
    """

    def __init__(self, where: Where, owner: str = "") -> None:
        """Open or create the database there. Raises StoreError or StoreUnavailable.

        `owner` tells the servers apart that might use one database: see `database`.
        """
        self.on_commit: Callable[[int], None] | None = None
        self._where = where
        self._database = database(where, owner)
        self._queue: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._is_closed = False
        self._progress_events: dict[str, int] = {}
        self._connection: Connection | None = self._database.open_writer()
        self._identity = self._database.identity()
        #: Counts up with each writer that takes the database; an earlier one records nothing any more.
        self.epoch = self._take_epoch()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, changes: Sequence[Change]) -> Future[None]:
        """Record all of `changes` or none; the future ends once they are on disk.

        Without changes, the future tells whether the database can be written. It may end with ConflictError
        (what is submitted exists already), StoreUnavailable (nothing was recorded, try again) or StoreError.
        """
        future = Future[None]()
        self._ask(changes, future)
        return future

    def write_beside(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        """Do as `write` does, with a future of the running event loop, which hears of all calls of a commit at once."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ask(changes, future)
        return future

    def _ask(self, changes: Sequence[Change], future: Future[None] | asyncio.Future[None]) -> None:
        with self._gate:
            if self._is_closed:
                future.set_exception(StoreUnavailable("the store is closed"))
            else:
                self._queue.put(_Asked(tuple(changes), future))

    def close(self) -> None:
        """Commit what was given so far and release the database."""
        with self._gate:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()

    def _take_epoch(self) -> int:
        assert self._connection is not None
        try:
            return int(self._connection.execute(sql("take_epoch")).fetchone()[0])
        except sqlite3.Error as error:
            self._connection.close()
            raise self._database.unavailable(error) from error

    def _work(self) -> None:
        is_open, in_a_row, last_at = True, 0, 0.0
        while is_open:
            group, is_open = self._gather()
            if group:
                in_a_row = in_a_row + 1 if time.monotonic() - last_at < STORM_SECONDS else 0
                self._answer(group)
                if in_a_row >= STORM_COMMITS:
                    time.sleep(min(GATHER_SECONDS, (len(group) - 1) * GATHER_SECONDS_EACH))
                last_at = time.monotonic()
        if self._connection is not None:
            self._connection.close()

    def _gather(self) -> tuple[list[_Asked], bool]:
        """Wait for a call and take those behind it; the second value is False once nothing more will come."""
        group: list[_Asked] = []
        size, asked = 0, self._queue.get()
        while asked is not None:
            if asked.is_wanted:
                group.append(asked)
                size += asked.size
            if size >= GROUP_LIMIT:
                break
            try:
                asked = self._queue.get_nowait()
            except queue.Empty:
                break
        return group, asked is not None

    def _answer(self, group: list[_Asked]) -> None:
        try:
            self._check_place()
            refused, last_seq = self._commit(group)
        except StoreGone as error:
            # What is open still holds all of it, and goes on once it is back in its place.
            self._refuse(group, error)
            return
        except RunyardError as error:
            log.warning("%d calls were not recorded: %s", len(group), error)
            self._fail(group, error)
            return
        except Exception as error:
            # A fault of ours must not leave callers waiting for ever on a thread that is gone.
            log.exception("%d calls were not recorded", len(group))
            self._fail(group, StoreError(f"the store failed: {error!r}"))
            return
        _settle(group, refused)
        self._tell(last_seq)

    def _fail(self, group: list[_Asked], error: RunyardError) -> None:
        """Undo what is uncommitted by closing the connection; the next call opens a fresh one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._refuse(group, error)

    def _refuse(self, group: list[_Asked], error: RunyardError) -> None:
        _settle(group, [error] * len(group))

    def _check_place(self) -> None:
        """Write to nothing that nobody would find again. Raises StoreGone, StoreUnavailable and StoreTakenOver."""
        try:
            identity = self._database.identity()
        except OSError as error:
            raise self._database.unavailable(error) from error
        if identity is None:
            raise gone(self._where)
        if identity != self._identity:
            raise StoreTakenOver

    def _tell(self, last_seq: int) -> None:
        if self.on_commit is not None:
            try:
                self.on_commit(last_seq)
            except Exception:
                log.exception("on_commit failed")

    def _commit(self, group: list[_Asked]) -> tuple[list[RunyardError | None], int]:
        """Record the group in one transaction; return each call's refusal and the last event's number."""
        try:
            try:
                call, refused = self._record_together(group), list[RunyardError | None]([None] * len(group))
            except _FAULTS:
                call, refused = self._record_each(group)
            cursor = call.cursor
            call.counts.write(cursor)
            if not any(asked.changes for asked in group):
                cursor.execute(sql("probe"), {"at": int(time.time())})
            (last_seq,) = cursor.execute(sql("last_event")).fetchone()
            cursor.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self._database.unavailable(error) from error
        self._progress_events.update(call.progress_events)
        for run_id in [r for r, seq in call.progress_events.items() if seq == ENDED]:
            del self._progress_events[run_id]
        return refused, int(last_seq)

    def _begin(self, first_asked_at: float) -> Cursor:
        if self._connection is None:
            # Who waited behind a call that found the database busy has used up part of its own patience.
            left = max(0.1, BUSY_SECONDS - (time.monotonic() - first_asked_at))
            self._connection = self._database.reopen_writer(left)
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        if cursor.execute(sql("epoch")).fetchone()[0] != self.epoch:
            raise StoreTakenOver
        return cursor

    def _record_together(self, group: list[_Asked]) -> Call:
        """Carry out all calls. Raises one of _FAULTS when any of them is at fault, with everything undone."""
        call = Call(self._begin(group[0].at), self._progress_events)
        try:
            for asked in group:
                for change in asked.changes:
                    apply(call, change)
        except _FAULTS:
            call.cursor.execute("ROLLBACK")
            raise
        return call

    def _record_each(self, group: list[_Asked]) -> tuple[Call, list[RunyardError | None]]:
        """Carry out all calls but those that are at fault, each of which is undone alone; return why, for each."""
        all_of_it = Call(self._begin(group[0].at), self._progress_events)
        return all_of_it, [self._record_alone(all_of_it, asked) for asked in group]

    def _record_alone(self, all_of_it: Call, asked: _Asked) -> RunyardError | None:
        cursor = all_of_it.cursor
        call = Call(cursor, ChainMap(all_of_it.progress_events, self._progress_events))
        cursor.execute("SAVEPOINT call")
        try:
            for change in asked.changes:
                apply(call, change)
        except _FAULTS as error:
            cursor.execute("ROLLBACK TO call")
            return _refusal(error)
        finally:
            if cursor.connection.in_transaction:
                cursor.execute("RELEASE call")
        all_of_it.counts.take(call.counts)
        all_of_it.progress_events.update(call.progress_events)
        return None


def _settle(group: Sequence[_Asked], refused: Sequence[RunyardError | None]) -> None:
    beside = defaultdict[asyncio.AbstractEventLoop, list[_Answer]](list)
    for asked, refusal in zip(group, refused, strict=True):
        if isinstance(asked.future, asyncio.Future):
            beside[asked.future.get_loop()].append((asked.future, refusal))
        else:
            _end(asked.future, refusal)
    for loop, answers in beside.items():
        try:
            loop.call_soon_threadsafe(_settle_beside, answers)
        except RuntimeError:
            log.info("%d calls were answered after the loop closed", len(answers))


def _settle_beside(answers: Sequence[_Answer]) -> None:
    for future, refusal in answers:
        if not future.done():
            _end(future, refusal)


def _end(future: Future[None] | asyncio.Future[None], refusal: Exception | None) -> None:
    if refusal is None:
        future.set_result(None)
    else:
        future.set_exception(refusal)


def _refusal(error: Exception) -> RunyardError:
    words = str(error)
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in words:
        subject = "idempotency key" if "idempotency" in words else "run id"
        refusal: RunyardError = ConflictError(f"this {subject} was accepted already")
    else:
        refusal = StoreError(f"the store cannot record this: {words}")
    refusal.__cause__ = error
    return refusal
