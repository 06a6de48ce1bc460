"""The reader: what the API and the command line ask the store, on connections that only read.

It works beside a writer, without one, and while there is no database yet: then everything is empty.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from runyard_actors.learning.past import PastRun
from runyard_actors.run import BatchId, BatchSpec, RunId, RunSpec, Status
from runyard_actors.store import past, present, tally
from runyard_actors.store.counts import ANY
from runyard_actors.store.database import Connection, Row, database
from runyard_actors.store.history import page
from runyard_actors.store.index.shared import SharedIndex
from runyard_actors.store.lending import Lending
from runyard_actors.store.queries import sql
from runyard_actors.store.records import BatchState, FoundBatch, IdempotentAnswer, RunFilter
from runyard_cluster.database_url import Where
from runyard_cluster.errors import InvalidRequestError, NotFoundError
from runyard_cluster.origin.origin import Origin, changes, origin_from_json, origin_to_json


class StoreReader:
    """Answers from one snapshot a call, in any thread. Every method may raise StoreUnavailable."""

    def __init__(self, where: Where) -> None:
        self._database = database(where)
        self._lending = Lending(self._database, where)
        self._index = SharedIndex()

    def close(self) -> None:
        """Release the connections; the reader may be used again."""
        self._lending.close()

    def cut_off(self) -> None:
        """Give up what has been read for too long, if that makes the database grow."""
        self._lending.cut_off()

    # Runs

    def run(self, run_id: str) -> dict[str, Any] | None:
        """Return a run as JSON, or None. `waiting_for` is the manager's to say, so it is None here."""
        return self.runs_by_id([run_id]).get(run_id)

    def shown(self, run_id: str) -> dict[str, Any] | None:
        """Return a run as `run` does, with where it came from and what changed since the one that it restarts."""
        run = self.run(run_id)
        if run is None:
            return None
        origins = self.origins([run_id, *([run["restarted_from"]] if run["restarted_from"] else [])])
        own, before = origins.get(run_id), origins.get(run["restarted_from"])
        run["origin"] = None if own is None else origin_to_json(own)
        run["code_changed"] = None if own is None or before is None else changes(before, own)
        return run

    def origins(self, run_ids: Sequence[str]) -> dict[str, Origin]:
        """Return where the newest attempts of runs came from, as far as that is known."""
        rows = self._rows("newest_origins", (json.dumps(list(run_ids)),))
        return {row["run_id"]: origin_from_json(json.loads(row["value"])) for row in rows}

    def runs_by_id(self, run_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return those of the runs that are known, by id."""
        now = _now()
        rows = self._rows("runs_by_id", (json.dumps(list(run_ids)),))
        return {row["run_id"]: present.run_json(row, now) for row in rows}

    def runs(
        self, wanted: RunFilter | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[dict[str, Any]], int]:
        """Return a page of history and the total. Raises InvalidRequestError."""
        now = _now()
        with self._lending.lent() as kept:
            if kept is None:
                return [], 0
            connection, identity = kept
            lend = partial(self._index.at, of=identity)
            seqs, total = page(connection, wanted or RunFilter(), limit, offset, lend)
            rows = connection.execute(sql("runs_by_seq"), (json.dumps(seqs),))
            by_seq = {row["seq"]: present.run_json(row, now) for row in rows}
        return [by_seq[seq] for seq in seqs if seq in by_seq], total

    def keep_ready(self) -> None:
        """Bring what is kept in memory for `runs` up to date; the first call reads it, and takes seconds per million.

        Without it, pages that need it are as right, and some of them wait for that.
        """
        self._index.keep_ready(self._lending.lent)

    def status(self, run_id: str) -> Status | None:
        """Return where a run stands, or None if there is none of that id."""
        return self.statuses([run_id]).get(RunId(run_id))

    def statuses(self, run_ids: Sequence[str]) -> dict[RunId, Status]:
        """Return where each of the runs stands; unknown ones are left out."""
        rows = self._rows("statuses", (json.dumps(list(run_ids)),))
        return {RunId(row["run_id"]): Status(row["status"]) for row in rows}

    def resolve(self, prefix: str) -> str:
        """Return the id that begins with `prefix`, or the newest for "last".

        Raises NotFoundError, and InvalidRequestError when several begin with it.
        """
        if prefix == "last":
            newest = self._rows("newest_id")
            if not newest:
                raise NotFoundError("there is no run yet")
            return str(newest[0]["run_id"])
        start = prefix.upper()
        found = self._rows("ids_from", (start, start + "\U0010ffff")) if start else []
        if not found:
            raise NotFoundError(f"no run {prefix[:40]!r} is known")
        if len(found) > 1 and found[0]["run_id"] != start:
            raise InvalidRequestError(f"more than one run begins with {prefix!r}; give more of the id")
        return str(found[0]["run_id"])

    def attempts(self, run_id: str) -> list[dict[str, Any]]:
        """Return a run's attempts, first to last."""
        now = _now()
        return [present.attempt_json(row, now) for row in self._rows("attempts_of_run", (run_id,))]

    def spec(self, run_id: str) -> RunSpec | None:
        """Return a run as it was submitted, with its environment."""
        return self.specs([run_id]).get(RunId(run_id))

    def specs(self, run_ids: Sequence[str]) -> dict[RunId, RunSpec]:
        """Return runs as they were submitted, by id; unknown ones are left out."""
        rows = self._rows("runs_by_id", (json.dumps(list(run_ids)),))
        return {RunId(row["run_id"]): present.run_spec(row) for row in rows}

    def ended_before(self, at: int, limit: int = 1_000) -> list[RunId]:
        """Return runs that ended before `at`, oldest first, for pruning."""
        return [RunId(row["run_id"]) for row in self._rows("ended_before", (at, limit))]

    def lost_on(self, node: str) -> dict[tuple[str, int], str]:
        """Return the nonces of the attempts that were lost with a node, by run and number."""
        return {(row["run_id"], row["attempt"]): row["nonce"] for row in self._rows("lost_on", (node,))}

    def codes(self) -> set[str]:
        """Return the digests of all snapshots that runs refer to."""
        return {row["code"] for row in self._rows("codes", ())}

    def past_runs(self, module_id: str, limit: int, *, with_failed: bool = False) -> list[PastRun]:
        """Return the newest completed runs of a module, newest first; with failed ones among them if asked."""
        with self._snapshot() as connection:
            return (
                [] if connection is None else past.runs(connection, module_id, limit, with_failed=with_failed)
            )

    # Batches

    def batch(self, batch_id: str) -> dict[str, Any] | None:
        """Return a batch with its counts by status, progress and the time it may still take, or None."""
        with self._snapshot() as connection:
            if connection is None:
                return None
            rows = connection.execute(sql("batch"), (batch_id,)).fetchall()
            return next(iter(tally.batches(connection, rows, _now())), None)

    def batches(self, limit: int = 50, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Return one page of batches, newest first, and the total."""
        with self._snapshot() as connection:
            if connection is None:
                return [], 0
            rows = connection.execute(sql("batches_page"), (limit, offset)).fetchall()
            total = connection.execute(sql("batches_total")).fetchone()[0]
            return tally.batches(connection, rows, _now()), int(total)

    def batch_run_ids(self, batch_id: str) -> list[RunId]:
        """Return the ids of a batch's runs in submit order."""
        return [RunId(row["run_id"]) for row in self._rows("batch_run_ids", (batch_id,))]

    def batch_end(self, batch_id: str) -> BatchState | None:
        """Return whether a batch has ended, and how; None for no batch."""
        for row in self._rows("batch_ends", (json.dumps([batch_id]),)):
            return BatchState(is_ended=bool(row[1]), has_succeeded=bool(row[2]))
        return None

    def batch_by_index(self, name: str) -> FoundBatch | None:
        """Return a batch, by id or else by name, the newest, with the newest run of each index; None for no batch."""
        with self._snapshot() as connection:
            found = connection and connection.execute(sql("find_batch"), {"name": name}).fetchone()
            if connection is None or not found:
                return None
            rows = connection.execute(sql("batch_indexes"), (found[0],))
            by_index = {row["batch_index"]: RunId(row["run_id"]) for row in rows}
            runs = [by_index[index] for index in sorted(by_index)]
            return FoundBatch(batch_id=BatchId(found["batch_id"]), is_open=bool(found["is_open"]), runs=runs)

    def batch_squares(self, batch_id: str) -> list[tuple[str, str, str]]:
        """Return id, name and status of each run of a batch, in submit order: little of very many."""
        return [tuple(row) for row in self._rows("batch_squares", (batch_id,))]

    def batch_failures(self, batch_id: str) -> list[dict[str, Any]]:
        """Return id, newest attempt and reason of a batch's failed runs, in submit order."""
        return [dict(row) for row in self._rows("batch_failures", (batch_id,))]

    def modules_of_batch(self, batch_id: str, limit: int) -> list[str]:
        """Return the ids of modules that the batch has runs of, at most so many."""
        return [row["module_id"] for row in self._rows("modules_of_batch", (batch_id, limit))]

    def batch_wishes(self, batch_id: str) -> dict[str, Any]:
        """Return whom a batch wants told of its end: `on_end` and `webhook`, what it names of them."""
        for row in self._rows("batch_telling", (batch_id,)):
            return json.loads(row["telling"]) if row["telling"] else {}
        return {}

    def batch_spec(self, batch_id: str) -> BatchSpec | None:
        """Return a batch as it was submitted, or None."""
        return next((present.batch_spec(row) for row in self._rows("batch", (batch_id,))), None)

    def failed_specs(self, batch_id: str) -> list[RunSpec]:
        """Return the failed runs of a batch that were not restarted since, in order."""
        return [present.run_spec(row) for row in self._rows("failed_runs", (batch_id,))]

    # All the rest

    def idempotent_answer(self, key: str) -> IdempotentAnswer | None:
        """Return what was accepted under that key, or None."""
        for row in self._rows("idempotent_answer", (key,)):
            run_ids = tuple(json.loads(row["run_ids"]))
            return IdempotentAnswer(digest=row["digest"], run_ids=run_ids, batch_id=row["batch_id"])
        return None

    def modules(self) -> dict[str, dict[str, Any]]:
        """Return the definitions in the registry by module id."""
        return {row["module_id"]: json.loads(row["definition"]) for row in self._rows("modules")}

    def events(self, after_seq: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        """Return the events after that number, oldest first."""
        return [present.event_json(row) for row in self._rows("events_after", (after_seq, limit))]

    def last_seq(self) -> int:
        """Return the number of the last event, 0 without any."""
        return next((int(row[0]) for row in self._rows("last_event")), 0)

    def counts(self) -> dict[str, int]:
        """Return how many runs have each status: the cheapest of all numbers."""
        found = {row["status"]: row[2] for row in self._rows("batch_counts", (json.dumps([ANY]),))}
        return {status.value: found.get(status.value, 0) for status in Status}

    def ended_between(self, after_seq: int, until_seq: int) -> dict[str, int]:
        """Return how many runs ended with each status, as told by the events after one number up to another."""
        return dict(tuple(row) for row in self._rows("ended_between", (after_seq, until_seq)))

    def stats(self) -> dict[str, Any]:
        """Return counts by status and module, runs ended lately, and how long the newest 1000 waited."""
        now = _now()
        with self._snapshot() as connection:
            return tally.no_stats() if connection is None else tally.stats(connection, now)

    def size_bytes(self) -> int:
        """Return how much room the database takes where it lies, 0 while there is none."""
        with self._snapshot() as connection:
            return 0 if connection is None else self._database.size_bytes(connection)

    # Connections

    def _rows(self, name: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._snapshot() as connection:
            return [] if connection is None else connection.execute(sql(name), values).fetchall()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection | None]:
        """Lend a connection inside a read transaction; None while there is no database."""
        with self._lending.lent() as kept:
            yield kept and kept[0]


def _now() -> int:
    return time.time_ns() // 1000
