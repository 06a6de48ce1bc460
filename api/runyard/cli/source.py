"""Where runs are looked up: this machine's store, or a server; both answer alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runyard_cluster.errors import InvalidRequestError, NotFoundError
from runyard_cluster.server_record import server_record

if TYPE_CHECKING:
    from runyard.client import Client
    from runyard_cluster.data_dir import DataDir

Json = dict[str, Any]

#: The largest page the server gives out.
PAGE = 1_000


class Source(Protocol):
    """What the verbs ask. Filters are those of `GET /api/runs`."""

    def run(self, run_id: str) -> Json:
        """Return a run. Raises NotFoundError."""
        ...

    def runs(self, *, limit: int, offset: int = 0, **filters: Any) -> Json:
        """Return {"runs": [...], "total": n}, newest first."""
        ...

    def attempts(self, run_id: str) -> list[Json]:
        """Return the attempts of a run."""
        ...

    def resolve(self, prefix: str) -> str:
        """Return the id that begins so, or the newest run's for "last".

        Raises NotFoundError, and InvalidRequestError when several begin so.
        """
        ...

    def batches(self, limit: int) -> list[Json]:
        """Return batches, newest first."""
        ...

    def stats(self) -> Json:
        """Return counts, throughput and waiting times."""
        ...


class StoreSource:
    """The store of a data folder on this machine, read directly: fast, and with no server up."""

    def __init__(self, data_dir: DataDir) -> None:
        """Raises StoreGone where a server runs on a database that is not there any more."""
        from runyard_actors.store.errors import gone
        from runyard_actors.store.reader import StoreReader

        database = data_dir.database
        if server_record(data_dir) and isinstance(database, Path) and not database.exists():
            raise gone(database)
        self.data_dir = data_dir
        self._reader = StoreReader(database)

    def run(self, run_id: str) -> Json:
        """Return a run. Raises NotFoundError."""
        found = self._reader.shown(run_id)
        if found is None:
            raise NotFoundError(f"no run {run_id} is known")
        return found

    def runs(self, *, limit: int, offset: int = 0, **filters: Any) -> Json:
        """Return a page of runs."""
        runs, total = self._reader.runs(_run_filter(filters), limit, offset)
        return {"runs": runs, "total": total}

    def attempts(self, run_id: str) -> list[Json]:
        """Return the attempts of a run."""
        return self._reader.attempts(run_id)

    def resolve(self, prefix: str) -> str:
        """Return the id that begins so."""
        return self._reader.resolve(prefix)

    def batches(self, limit: int) -> list[Json]:
        """Return batches, newest first."""
        return self._reader.batches(limit, 0)[0]

    def stats(self) -> Json:
        """Return counts, throughput and waiting times."""
        return self._reader.stats()


class ServerSource:
    """A server, over REST."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def run(self, run_id: str) -> Json:
        """Return a run. Raises NotFoundError."""
        return self.client.run(run_id)

    def runs(self, *, limit: int, offset: int = 0, **filters: Any) -> Json:
        """Return a page of runs."""
        page = self.client.runs(limit=min(limit, PAGE), offset=offset, **filters)
        return {"runs": page["runs"], "total": page["total"]}

    def attempts(self, run_id: str) -> list[Json]:
        """Return the attempts of a run."""
        return self.client.attempts(run_id)

    def resolve(self, prefix: str) -> str:
        """Return the id that begins so, or of the newest run for "last"."""
        if prefix == "last":
            newest = self.client.runs(limit=1)["runs"]
            return only([r["run_id"] for r in newest], "there is no run yet", "")
        start = prefix.upper()
        found = [r["run_id"] for r in self.client.runs(limit=PAGE, q=start)["runs"]]
        matching = [r for r in found if r.startswith(start)] if start else []
        return only(
            [start] if start in matching else matching,
            f"no run {prefix[:40]!r} is known",
            f"more than one run begins with {prefix!r}; give more of the id",
        )

    def batches(self, limit: int) -> list[Json]:
        """Return batches, newest first."""
        found: list[Json] = self.client.batches(limit=min(limit, PAGE))["batches"]
        return found

    def stats(self) -> Json:
        """Return counts, throughput and waiting times."""
        return self.client.stats()


def only(found: Sequence[str], none: str, several: str) -> str:
    """Return the single item. Raises NotFoundError for none, InvalidRequestError for several."""
    if not found:
        raise NotFoundError(none)
    if len(found) > 1:
        raise InvalidRequestError(several)
    return found[0]


def every_run(source: Source, **filters: Any) -> Iterator[Json]:
    """Yield all runs a filter finds, oldest first, page by page."""
    offset = 0
    while True:
        page = source.runs(limit=PAGE, offset=offset, sort="created_at", **filters)
        yield from page["runs"]
        offset += len(page["runs"])
        if not page["runs"] or offset >= page["total"]:
            return


def _run_filter(filters: dict[str, Any]) -> Any:
    from runyard.moment import microseconds
    from runyard_actors.run import Status
    from runyard_actors.store.records import RunFilter

    moments = {k: microseconds(filters[k]) for k in ("since", "until") if filters.get(k)}
    return RunFilter(
        statuses=tuple(Status(s) for s in filters.get("status") or ()),
        run_ids=tuple(filters.get("run_id") or ()),
        module_id=filters.get("module_id"),
        batch_id=filters.get("batch_id"),
        label=filters.get("label"),
        text=filters.get("q"),
        exit_codes=tuple(filters.get("exit_code") or ()),
        sort=filters.get("sort") or "-created_at",
        **moments,
    )
