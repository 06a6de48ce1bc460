"""The durable store: one writer, many readers, and the state a manager starts from."""

from runyard_actors.store.errors import StoreError, StoreFull, StoreUnavailable
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.records import RunFilter, StoredState
from runyard_actors.store.restore import load_state
from runyard_actors.store.writer import StoreWriter

__all__ = [
    "RunFilter",
    "StoreError",
    "StoreFull",
    "StoreReader",
    "StoreUnavailable",
    "StoreWriter",
    "StoredState",
    "load_state",
]
