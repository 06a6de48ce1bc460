"""What a row of the table of bad input is: what is wrong, in each form it can take, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from runyard.client import Client

DOORS = ("rest", "python", "command line")


@dataclass(frozen=True, slots=True)
class NoForm:
    """There is no way to say this through a door, and why."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """A run, by its fields: posted, given to `submit`, and as the only row of a JSON batch file.

    `options` is the same for `runyard run`, before the command, where it has an option for it. `json` is the text that
    is sent or lies in the file where it is not what Python writes of `fields`.
    """

    fields: Mapping[str, Any]
    options: Sequence[str] | None = None
    json: str | None = None
    #: Doors where it is no mistake: a batch file takes `env = { THREADS = 2 }`, which has one meaning only.
    not_at: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch: posted, given to `submit_batch`, and as a JSON batch file."""

    runs: Sequence[Any]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Something else than a submit, each form in its own words. `{run}` in words stands for a run that has ended."""

    rest: Callable[[httpx.Client, str], httpx.Response] | NoForm
    python: Callable[[Client, str], object] | NoForm
    words: Sequence[str] | NoForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing is accepted, and the answer names the class of the error and has these words."""

    words: Sequence[str] = ()
    status: int = 422
    error: str = "InvalidRequestError"
    exit_code: int = 2
    #: Words of one door only: each sees another part of what is wrong first.
    rest: Sequence[str] = ()
    python: Sequence[str] = ()
    command_line: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """It only looks bad: it runs, completes, and shows these fields."""

    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """It is accepted and ends so; `code` is that of `runyard run`, `log` all that it wrote."""

    status: str = "completed"
    reason: str | None = None
    words: Sequence[str] = ()
    exit_code: int | None = None
    signal: int | None = None
    code: int = 0
    log: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A call that is answered: with this status, these bytes or none, and this exit code."""

    status: int = 200
    body: bytes | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class HeldBy:
    """Another test holds this row: its file and name. It takes more than one call to show, and `why` says what."""

    test: str
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row. Its number is the list's; what is close to a row of the list stands under its number."""

    number: int
    what: str
    given: Submit | Batch | Call
    answer: Refused | Accepted | Ends | Answers | HeldBy

    def doors(self) -> list[str]:
        """Return the doors through which it can be said."""
        if isinstance(self.answer, HeldBy):
            return []
        if not isinstance(self.given, Call):
            left_out = self.given.not_at if isinstance(self.given, Submit) else ()
            return [door for door in DOORS if door not in left_out]
        forms = (self.given.rest, self.given.python, self.given.words)
        return [door for door, form in zip(DOORS, forms, strict=True) if not isinstance(form, NoForm)]


#: What a row held elsewhere has in place of forms.
NO_CALL = Call(rest=NoForm("see there"), python=NoForm("see there"), words=NoForm("see there"))
