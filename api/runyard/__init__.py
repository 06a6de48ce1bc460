"""runyard: run scripts by the dozen or the thousand, at once, within limits, with nothing lost."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.async_client import AsyncClient
    from runyard.batch import Batch
    from runyard.client import Client
    from runyard.executor import ConcurrentExecutor, ResourceManager
    from runyard.expand import expand
    from runyard.module import Module
    from runyard.pool_executor import RunyardExecutor
    from runyard.reporting import report
    from runyard.run import Run, RunResult
    from runyard.submission import submit, submit_batch
    from runyard.together import as_completed, gather
    from runyard.yard import connect
    from runyard_cluster.errors import (
        AuthenticationError,
        ConcurrencyLimitError,
        ConflictError,
        ConnectionFailedError,
        InvalidRequestError,
        NotFoundError,
        ResourceLimitError,
        RunCancelledError,
        RunError,
        RunFailedError,
        RunLostError,
        RunTimeoutError,
        RunyardError,
        SettingsError,
        UnavailableError,
    )

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "Batch",
    "Client",
    "ConcurrencyLimitError",
    "ConcurrentExecutor",
    "ConflictError",
    "ConnectionFailedError",
    "InvalidRequestError",
    "Module",
    "NotFoundError",
    "ResourceLimitError",
    "ResourceManager",
    "Run",
    "RunCancelledError",
    "RunError",
    "RunFailedError",
    "RunLostError",
    "RunResult",
    "RunTimeoutError",
    "RunyardError",
    "RunyardExecutor",
    "SettingsError",
    "UnavailableError",
    "as_completed",
    "connect",
    "expand",
    "gather",
    "report",
    "submit",
    "submit_batch",
]

_HOME = {
    "AsyncClient": "runyard.async_client",
    "Batch": "runyard.batch",
    "Client": "runyard.client",
    "ConcurrentExecutor": "runyard.executor",
    "Module": "runyard.module",
    "ResourceManager": "runyard.executor",
    "Run": "runyard.run",
    "RunResult": "runyard.run",
    "RunyardExecutor": "runyard.pool_executor",
    "as_completed": "runyard.together",
    "connect": "runyard.yard",
    "expand": "runyard.expand",
    "gather": "runyard.together",
    "report": "runyard.reporting",
    "submit": "runyard.submission",
    "submit_batch": "runyard.submission",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import runyard` inside a module costs a millisecond."""
    if name not in __all__:
        raise AttributeError(f"module 'runyard' has no attribute {name!r}")
    home = import_module(_HOME.get(name, "runyard_cluster.errors"))
    found = globals()[name] = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
