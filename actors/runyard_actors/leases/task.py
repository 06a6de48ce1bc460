"""What a lease is to Ray: a task that declares numbers and waits.

A file of its own, without imports: each worker that holds a lease loads what this file names, and keeps it in memory.
"""

from __future__ import annotations

#: A question to the manager stays open for so long, and what was not answered by then is taken for lost.
ASK_SECONDS, ANSWER_SECONDS = 15.0, 25.0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def hold(manager: Any, lease_id: int) -> None:
    """Hold what this task declares, for as long as the manager says that it is wanted.

    A thread waits, not Ray: it would lend out the CPU of a task that waits for it. An answer that is lost with a link
    would be waited for while all of what is declared stays taken, so it is asked again.
    """
    is_wanted = True
    while is_wanted:
        try:
            is_wanted = manager.hold_lease.remote(lease_id).future().result(ANSWER_SECONDS)
        except TimeoutError:
            continue
