"""What a lease is to Ray: a task that declares numbers and waits.

A file of its own, without imports: each worker that holds a lease loads what this file names, and keeps it in memory.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def hold(manager: Any, lease_id: int) -> None:
    """Hold what this task declares. A thread waits, not Ray: it would lend out the CPU of a task that waits for it."""
    manager.hold_lease.remote(lease_id).future().result()
