"""What can go wrong with the store; SQLite's own errors never leave this package."""

from __future__ import annotations

from runyard_cluster.errors import RunyardError, UnavailableError

__all__ = ["StoreError", "StoreFull", "StoreTakenOver", "StoreUnavailable"]


class StoreUnavailable(UnavailableError):  # noqa: N818 - named like what callers are told: 503, unavailable
    """The database cannot be used right now; nothing of the call was recorded, so it may be repeated."""


class StoreFull(StoreUnavailable):
    """The disk with the database is full; nothing of the call was recorded. Free some space and try again."""


class StoreError(RunyardError):
    """The database cannot be used as it is, or it refuses this change; the message says what to do."""


class StoreTakenOver(StoreError):  # noqa: N818 - what happened, as for its neighbours
    """Another runyard took over this database; this one records nothing any more."""
