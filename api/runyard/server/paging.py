"""Which runs a list shows: filters, order, page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from runyard_actors.run import Status
from runyard_cluster.durations import parse_duration

#: A page deeper than this is refused: nobody turns ten million pages by hand.
MAX_OFFSET = 1_000_000_000

Sort = Literal[
    "created_at",
    "-created_at",
    "started_at",
    "-started_at",
    "ended_at",
    "-ended_at",
    "duration",
    "-duration",
]


def _moment(value: str) -> str:
    microseconds(value)
    return value


def microseconds(value: str) -> int:
    """Return an RFC 3339 date, or a duration back from now as "2h", in microseconds since the epoch.

    Raises ValueError.
    """
    try:
        # A "+" that was not escaped in the address comes as a blank.
        moment = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
        return int((moment if moment.tzinfo else moment.astimezone()).timestamp() * 1e6)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        back = parse_duration(value)
    except ValueError as error:
        raise ValueError('must be a date as "2026-01-31T08:00:00Z" or a time back as "2h"') from error
    return int((datetime.now(UTC).timestamp() - back) * 1e6)


def _span(value: str) -> str:
    _span_us(value)
    return value


def _span_us(value: str) -> int:
    """Return a duration in microseconds. Raises ValueError."""
    return round(parse_duration(value) * 1e6)


Span = Annotated[str, Field(max_length=100), AfterValidator(_span)]
Moment = Annotated[str, Field(max_length=100), AfterValidator(_moment)]
#: Windows has codes up to 32 bits, with or without a sign.
ExitCode = Annotated[int, Field(ge=-(2**31), le=2**32 - 1)]
Word = Annotated[str, Field(max_length=500)]


class Page(BaseModel):
    """A window of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class Paging(Page):
    """The filters of a list of runs; each narrows it further."""

    status: list[Status] | None = Field(None, description="may repeat")
    run_id: list[Word] | None = Field(None, max_length=1000, description="may repeat; of these runs only")
    module_id: Word | None = None
    batch_id: Word | None = None
    label: Word | None = Field(None, description="`key` or `key=value`")
    q: Word | None = Field(None, description="text in module, id or message")
    since: Moment | None = Field(None, description="created at or after; a date or `2h`")
    until: Moment | None = Field(None, description="created before; a date or `2h`")
    min_duration: Span | None = Field(None, description='took at least so long: seconds or a text as "30m"')
    max_duration: Span | None = Field(None, description='took at most so long: seconds or a text as "30m"')
    exit_code: list[ExitCode] | None = Field(
        None, max_length=256, description="may repeat; ended with one of these exit codes"
    )
    sort: Sort = "-created_at"

    @property
    def shortest_us(self) -> int | None:
        """`min_duration` in microseconds."""
        return None if self.min_duration is None else _span_us(self.min_duration)

    @property
    def longest_us(self) -> int | None:
        """`max_duration` in microseconds."""
        return None if self.max_duration is None else _span_us(self.max_duration)

    @property
    def since_us(self) -> int | None:
        """`since` in microseconds since the epoch."""
        return None if self.since is None else microseconds(self.since)

    @property
    def until_us(self) -> int | None:
        """`until` in microseconds since the epoch."""
        return None if self.until is None else microseconds(self.until)
