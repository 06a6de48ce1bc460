"""The registry of active runs: each attempt between its start decision and its recorded end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from runyard_actors.assignment import Started
from runyard_actors.attempt_file import NONCE_LETTERS
from runyard_actors.run import BatchId, Placement, Reason, RunId, RunSpec
from runyard_actors.run_folder import RunFolder
from runyard_actors.stopping import StopOrder

#: Asking the system for random bytes has every other thread run meanwhile, so they are asked for many nonces at once.
NONCES_AT_ONCE = 512


def _make_nonces() -> Iterator[str]:
    while True:
        letters = secrets.token_hex(NONCES_AT_ONCE * NONCE_LETTERS // 2)
        yield from (letters[i : i + NONCE_LETTERS] for i in range(0, len(letters), NONCE_LETTERS))


_NONCES = _make_nonces()


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Somebody wants the run ended: the reason it will carry, and a sentence for people."""

    reason: Reason
    detail: str


@dataclass(slots=True, kw_only=True)
class ActiveRun:
    """One attempt that holds a slot and resources. `spec` is read from the store when it is about to start."""

    run_id: RunId
    batch_id: BatchId | None
    attempt: int
    placement: Placement
    folder: RunFolder
    nonce: str = field(default_factory=_NONCES.__next__)
    boot_id: str = ""
    #: Whether an earlier manager began it.
    is_adopted: bool = False
    spec: RunSpec | None = None
    started: Started | None = None
    cancel: CancelOrder | None = None
    report_mark: tuple[int, int] = (0, 0)
    #: The most GPU memory it was seen to hold, in bytes; None while that could not be seen.
    peak_gpu_memory: int | None = None
    #: How its GPU memory limit is held, as was told last.
    gpu_enforcement: dict[str, str] = field(default_factory=dict)
    #: Whether the store says that it is held still; None: not known, as it was adopted.
    is_suspended: bool | None = False

    @property
    def key(self) -> tuple[RunId, int]:
        """Its run and its number."""
        return (self.run_id, self.attempt)

    @property
    def stop_order(self) -> StopOrder | None:
        """What its node is told for the cancel that was ordered."""
        if self.cancel is None:
            return None
        return StopOrder(key=self.key, nonce=self.nonce, reason=self.cancel.reason, detail=self.cancel.detail)

    @property
    def is_started(self) -> bool:
        """Whether its process is known to run."""
        return self.started is not None
