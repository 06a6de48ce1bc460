"""What is asked of logs over REST, and the answers that are JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: Beyond what any file system holds.
LARGEST = 2**62
#: Seconds since the epoch up to the year 9999.
LATEST = 253_402_300_799
#: Lines in one answer.
MOST_LINES = 5_000
USUAL_LINES = 1_000


def _is_one_line(value: str) -> str:
    if "\n" in value or "\0" in value:
        raise ValueError("a search is within a line, so it can have no line feed")
    return value


Offset = Annotated[int, Field(ge=0, le=LARGEST)]


class OfAttempt(BaseModel):
    """Which attempt's log."""

    model_config = ConfigDict(extra="forbid")

    attempt: int | None = Field(None, ge=1, le=10_000, description="the newest if left out")


class PartIn(OfAttempt):
    """Which part of a log, in bytes or lines."""

    offset: Offset = 0
    limit: Offset | None = Field(None, description="at most this many bytes of the log")
    tail: int | None = Field(None, ge=0, le=10_000_000, description="only the last lines, this many")
    timestamps: bool = Field(False, description="the time before each line, in RFC 3339 UTC")

    @property
    def is_whole(self) -> bool:
        """Whether the log is asked for as it is, so that a `Range` header can count."""
        return not self.model_fields_set - {"attempt"}


class LinesIn(OfAttempt):
    """Which lines, the first line being 1."""

    first: int = Field(1, ge=1, le=LARGEST)
    last: int | None = Field(
        None,
        ge=1,
        le=LARGEST,
        description=f"{USUAL_LINES} lines if left out; at most {MOST_LINES} in one answer",
    )

    timestamps: bool = Field(False, description="tell when each line came")

    @property
    def end(self) -> int:
        """The last line that is wanted."""
        return self.last or self.first + USUAL_LINES - 1

    @model_validator(mode="after")
    def _is_a_window(self) -> LinesIn:
        if not 0 <= self.end - self.first < MOST_LINES:
            raise ValueError(f"`last` must be from `first` on, and at most {MOST_LINES - 1} after it")
        return self


class MomentIn(OfAttempt):
    """Which moment."""

    at: float = Field(ge=0, le=LATEST, description="seconds since the epoch, as usage over time has them")


SearchText = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_is_one_line)]


class SearchIn(OfAttempt):
    """What to look for."""

    q: SearchText
    regex: bool = Field(False, description="`q` is a pattern of Python's `re`, for within a line")
    ignore_case: bool = False
    limit: int = Field(100, ge=0, le=1_000, description="how many hits are listed; all are counted")
    offset: Offset = Field(0, description="hits that begin before this byte are not listed")
    skip: Offset = Field(0, description="the first hits of the log, this many, are not listed")


class BatchSearchIn(BaseModel):
    """What to look for in all logs of a batch."""

    model_config = ConfigDict(extra="forbid")

    q: SearchText
    regex: bool = Field(False, description="`q` is a pattern of Python's `re`, for within a line")
    ignore_case: bool = False
    limit: int = Field(3, ge=0, le=20, description="how many hits of each run are listed; all are counted")


class LogLine(BaseModel):
    """One line without its end; bytes that are no UTF-8 are shown as U+FFFD."""

    number: int
    offset: int = Field(description="where it begins, in bytes")
    length: int = Field(description="in bytes, without its end")
    text: str
    is_cut: bool = Field(description="whether there is more of this line than is shown")
    update: str | None = Field(
        None, description="of a cut line, what stands after its last carriage return: progress bars use those"
    )
    at: str | None = Field(None, description="when it was first seen in the log, if `timestamps` asks for it")


class DroppedPart(BaseModel):
    """The middle of a log that passed its limit: these bytes are gone, and read as zeros."""

    offset: int
    end: int


class LogLines(BaseModel):
    """Lines of a log; fewer than were asked for at its end, or when they are very long."""

    first: int
    lines: list[LogLine]
    total: int = Field(description="lines of the whole log, now")
    size: int = Field(description="bytes of the whole log, now")
    gap: DroppedPart | None = Field(description="what was dropped; one line goes across it")


class LogMoment(BaseModel):
    """How far a log went at a moment."""

    line: int | None = Field(description="the newest line then; null when there was none yet")
    seen_at: str | None = Field(description="when that line was first seen in the log")


class LogHit(BaseModel):
    """One occurrence, with the line around it cut to 2,000 characters."""

    offset: int = Field(description="where it begins, in bytes of the log")
    length: int = Field(description="in bytes")
    line: int = Field(description="the number of its line, the first being 1")
    before: str = Field(description="what stands before it in its line")
    match: str
    after: str = Field(description="what stands after it in its line")


class LogSearch(BaseModel):
    """What a search found."""

    count: int = Field(description="all occurrences, listed or not")
    before: int = Field(
        description="how many of them come before the first one listed; all, when none is listed"
    )
    hits: list[LogHit]
    complete: bool = Field(description="whether the whole log was searched in the time there is for it")
    searched_bytes: int
    size: int = Field(description="bytes of the whole log when the search began")


class RunLogSearch(BaseModel):
    """What a search found in the log of one run of a batch."""

    run_id: str
    batch_index: int
    attempt: int
    count: int = Field(description="all occurrences, listed or not")
    hits: list[LogHit]
    complete: bool = Field(description="whether its whole log was searched")


class BatchLogSearch(BaseModel):
    """What a search found in the logs of a batch."""

    count: int = Field(description="all occurrences in all logs that were searched")
    runs: list[RunLogSearch] = Field(
        description="those that have any, 1,000 at most, in the order of the batch"
    )
    searched: int = Field(description="runs whose logs were searched in the time there is for it")
    total: int = Field(description="runs of the batch")
    complete: bool = Field(description="whether all logs were searched as a whole")
