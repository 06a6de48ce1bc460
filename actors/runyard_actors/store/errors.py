"""What can go wrong with the store; SQLite's own errors never leave this package."""

from __future__ import annotations

from runyard_cluster.errors import RunyardError, UnavailableError

__all__ = ["StoreError", "StoreFull", "StoreGone", "StoreTakenOver", "StoreUnavailable", "gone"]


class StoreUnavailable(UnavailableError):  # noqa: N818 - named like what callers are told: 503, unavailable
    """The database cannot be used right now; nothing of the call was recorded, so it may be repeated."""


class StoreFull(StoreUnavailable):
    """The disk with the database is full; nothing of the call was recorded. Free some space and try again."""


class StoreGone(StoreUnavailable):
    """The database is not in its place any more; nothing of the call was recorded."""


class StoreError(RunyardError):
    """The database cannot be used as it is, or it refuses this change; the message says what to do."""


class StoreTakenOver(StoreError):  # noqa: N818 - what happened, as for its neighbours
    """Another runyard took over this database; this one records nothing any more."""


def gone(place: object) -> StoreGone:
    """Return what callers see when the database that was in use is not in its place any more."""
    return StoreGone(
        f"the database {place} was moved away or removed while it was in use; put it back, or stop the server and "
        "restore a backup"
    )
