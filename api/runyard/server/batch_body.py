"""A batch's body: each run is checked by itself, so that all that is wrong with any of them is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Body
from fastapi.exceptions import RequestValidationError
from pydantic import PlainValidator, ValidationError
from starlette.exceptions import HTTPException

from runyard.server import places
from runyard.server.fields import MAX_BATCH
from runyard.server.likeness import Likeness
from runyard.server.problems import BODY_FIELDS
from runyard.server.schemas import (
    AdditionEnvelope,
    AdditionIn,
    AdditionOptions,
    BatchEnvelope,
    BatchIn,
    BatchOptions,
    RunIn,
)

#: Wrong places told of one run.
_MAX_PER_RUN = 5


def _as_it_came(value: Any) -> Any:
    return value


#: Documented as a BatchIn; checked by `check`, in a thread, since a hundred thousand runs take seconds.
BatchBody = Annotated[Any, PlainValidator(_as_it_came, json_schema_input_type=BatchIn), Body()]
AdditionBody = Annotated[Any, PlainValidator(_as_it_came, json_schema_input_type=AdditionIn), Body()]

Options = TypeVar("Options", BatchOptions, AdditionOptions)


class AskedRun(NamedTuple):
    """One run of a batch, and its arguments. Runs that differ in these alone may share one `run`, with those of one."""

    run: RunIn
    args: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Generic[Options]):
    """A batch, or more runs of one, as far as can be understood. `runs` has None where one is wrong; `bad` says how."""

    options: Options
    runs: list[AskedRun | None]
    bad: list[dict[str, Any]]


def check(body: Any) -> Checked[BatchOptions]:
    """Look at a batch as a whole, then at each run. Raises RequestValidationError, or HTTPException 413."""
    envelope = _understood(BatchEnvelope, body)
    runs, bad = _runs(envelope.runs)
    return Checked(options=envelope, runs=runs, bad=bad)


def check_addition(body: Any) -> Checked[AdditionOptions]:
    """Look at runs that are to be added to a batch, likewise."""
    envelope = _understood(AdditionEnvelope, body)
    runs, bad = _runs(envelope.runs)
    return Checked(options=envelope, runs=runs, bad=bad)


Envelope = TypeVar("Envelope", BatchEnvelope, AdditionEnvelope)


def _understood(kind: type[Envelope], body: Any) -> Envelope:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _refused(error) from error


def _refused(error: ValidationError) -> RequestValidationError:
    return RequestValidationError(
        [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
    )


def _runs(given: list[Any]) -> tuple[list[AskedRun | None], list[dict[str, Any]]]:
    if len(given) > MAX_BATCH:
        raise HTTPException(413, f"a batch may have at most {MAX_BATCH} runs, not {len(given)}")
    runs: list[AskedRun | None] = []
    bad: list[dict[str, Any]] = []
    likeness = Likeness()
    for index, run in enumerate(given):
        try:
            runs.append(AskedRun(*likeness.checked(run)))
        except ValidationError as error:
            runs.append(None)
            bad += _told(error, index)
    return runs, bad


def _told(error: ValidationError, index: int) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**places.place({**e}, BODY_FIELDS), "index": index} for e in found[:_MAX_PER_RUN]]
