"""Terms over REST: when a run may start and when it is tried again; what comes in, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from runyard.server.fields import MAX_BATCH, Duration, ExitCodes, Factor, Index, Moment, Patience, Text
from runyard.server.strict import Strict
from runyard_actors.run import RunId
from runyard_actors.terms import LONGEST_RETRY_DELAY, Terms
from runyard_cluster.errors import InvalidRequestError

Dependencies = Annotated[list[Index | Text], Field(max_length=MAX_BATCH)]


class TermsIn(Strict):
    """When a run may start, and when it is tried again."""

    after: Dependencies = Field(
        default_factory=list, description="ids of runs, or indexes within the batch, that must complete first"
    )
    after_any: Dependencies = Field(
        default_factory=list, description="likewise; these must have ended, whatever way"
    )
    after_failed: Dependencies = Field(
        default_factory=list, description="likewise; it starts only if one of these does not complete"
    )
    delay_until: Moment | None = Field(
        None, description='it does not start before; RFC 3339, or a time from now as "+10m"'
    )
    hold: bool = Field(False, description="it does not start until it is released")
    queue_timeout: Duration | None = Field(
        None, description="it fails if it has not started that long after it was submitted"
    )
    retry_delay: Patience | None = Field(None, description="the pause before a retry")
    retry_backoff: Factor | None = Field(None, description="each further pause is that many times as long")
    retry_delay_max: Duration | None = Field(None, description="the longest pause; an hour if left out")
    retry_exit_codes: ExitCodes | None = Field(None, description="only an exit with one of these is retried")


#: Fields that make up `Terms`; `after` is a run's own.
_FIELDS = frozenset(TermsIn.model_fields) - {"after"}


def terms_of(run: TermsIn, find: Callable[..., tuple[RunId, ...]], after: Sequence[RunId]) -> Terms | None:
    """Return a run's terms, None if it has none. `find` turns what a field names into ids.

    Raises InvalidRequestError.
    """
    if _FIELDS.isdisjoint(run.model_fields_set):
        return None
    after_any, after_failed = (
        find(run.after_any, field="after_any"),
        find(run.after_failed, field="after_failed"),
    )
    if both := set(after) & set(after_failed):
        raise InvalidRequestError(
            f"after_failed: {min(both)} stands in `after` too, so the run never could start"
        )
    terms = Terms(
        after_any=tuple(each for each in after_any if each not in after and each not in after_failed),
        after_failed=after_failed,
        not_before=run.delay_until,
        is_held=run.hold,
        queue_timeout_seconds=run.queue_timeout or 0.0,
        retry_delay_seconds=run.retry_delay or 0.0,
        retry_backoff=run.retry_backoff or 1.0,
        retry_delay_max_seconds=run.retry_delay_max or LONGEST_RETRY_DELAY,
        retry_exit_codes=None if run.retry_exit_codes is None else tuple(run.retry_exit_codes),
    )
    return None if terms == Terms() else terms
