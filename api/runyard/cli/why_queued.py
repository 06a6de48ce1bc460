"""Saying why a run that is waited for has not started."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runyard.cli.say import say
from runyard_cluster.errors import RunyardError

if TYPE_CHECKING:
    from runyard.client import Client

#: A run may be queued for a moment without a word; after that the reason is asked for, and again now and then.
PATIENCE_SECONDS, AGAIN_SECONDS = 2.0, 5.0


@contextmanager
def telling_why_queued(
    client: Client, run_id: str, *, patience: float = PATIENCE_SECONDS, again: float = AGAIN_SECONDS
) -> Iterator[None]:
    """While the block goes on, say what the run waits for, and say it again when that changes."""
    is_over = threading.Event()
    teller = threading.Thread(target=_tell, args=(client, run_id, is_over, patience, again), daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_over.set()


def _tell(client: Client, run_id: str, is_over: threading.Event, patience: float, again: float) -> None:
    told: str | None = None
    while not is_over.wait(again if told else patience):
        try:
            run = client.run(run_id)
        except RunyardError:
            return  # Whoever follows the run says what is wrong.
        if run["status"] != "queued" or is_over.is_set():
            return
        if run["waiting_for"] and run["waiting_for"] != told:
            told = run["waiting_for"]
            say(f"runyard: queued: {told}")
