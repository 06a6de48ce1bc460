"""The durable store: one writer, many readers, and the state a manager starts from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOME = {
    "RunFilter": "records",
    "StoreError": "errors",
    "StoreFull": "errors",
    "StoreReader": "reader",
    "StoreUnavailable": "errors",
    "StoreWriter": "writer",
    "StoredState": "records",
    "load_state": "restore",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: who only reads does not wait for the writer's import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME[name]}")
    return globals().setdefault(name, getattr(home, name))
