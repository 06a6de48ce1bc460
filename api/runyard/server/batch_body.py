"""A batch's body: each run is checked by itself, so that all that is wrong with any of them is told at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body
from fastapi.exceptions import RequestValidationError
from pydantic import PlainValidator, ValidationError
from starlette.exceptions import HTTPException

from runyard.server import places
from runyard.server.fields import MAX_BATCH
from runyard.server.problems import BODY_FIELDS
from runyard.server.schemas import BatchEnvelope, BatchIn, BatchOptions, RunIn

#: Wrong places told of one run.
_MAX_PER_RUN = 5


def _as_it_came(value: Any) -> Any:
    return value


#: Documented as a BatchIn; checked by `check`, in a thread, since a hundred thousand runs take seconds.
BatchBody = Annotated[Any, PlainValidator(_as_it_came, json_schema_input_type=BatchIn), Body()]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBatch:
    """A batch as far as it can be understood. `runs` has None where one is wrong; `bad` says how."""

    options: BatchOptions
    runs: list[RunIn | None]
    bad: list[dict[str, Any]]


def check(body: Any) -> CheckedBatch:
    """Look at a batch as a whole, then at each run. Raises RequestValidationError, or HTTPException 413."""
    try:
        envelope = BatchEnvelope.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**e, "loc": ("body", *e["loc"])} for e in error.errors(include_url=False)]
        ) from error
    if len(envelope.runs) > MAX_BATCH:
        raise HTTPException(413, f"a batch may have at most {MAX_BATCH} runs, not {len(envelope.runs)}")
    runs: list[RunIn | None] = []
    bad: list[dict[str, Any]] = []
    for index, run in enumerate(envelope.runs):
        try:
            runs.append(RunIn.model_validate(run))
        except ValidationError as error:
            runs.append(None)
            bad += _told(error, index)
    return CheckedBatch(options=envelope, runs=runs, bad=bad)


def _told(error: ValidationError, index: int) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**places.place({**e}, BODY_FIELDS), "index": index} for e in found[:_MAX_PER_RUN]]
