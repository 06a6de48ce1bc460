"""The kinds of stored events: everything that changes a run, a batch or the registry."""

from __future__ import annotations

from typing import Literal, get_args

EventKind = Literal[
    "batch_cancelled",
    "batch_closed",
    "batch_edited",
    "batch_submitted",
    "cancel_requested",
    "module_deleted",
    "module_put",
    "notice_failed",
    "run_edited",
    "run_ended",
    "run_held",
    "run_origin_found",
    "run_progressed",
    "run_released",
    "run_requeued",
    "run_resumed",
    "run_stall_ended",
    "run_stalled",
    "run_started",
    "run_starting",
    "run_submitted",
    "run_suspended",
    "run_warned",
    "start_withdrawn",
]
EVENT_KINDS: frozenset[EventKind] = frozenset(get_args(EventKind))
