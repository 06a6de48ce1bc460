"""What every model of something that comes in is: strict."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from runyard.server.fields import MAX_FIELDS, at_most


class Strict(BaseModel):
    """Unknown fields are errors; numbers are not made from texts."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, data: Any) -> Any:
        return at_most(MAX_FIELDS)(data)
