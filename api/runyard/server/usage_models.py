"""What goes out over REST of one attempt's usage over time."""

from __future__ import annotations

from pydantic import BaseModel, Field


class UsageLimits(BaseModel):
    """What the attempt declared, in the units of the columns; null: nothing."""

    cpu_percent: float | None
    memory: int | None
    gpu_memory: int | None


class RunTimeline(BaseModel):
    """One attempt's usage over time, as columns of equal length, the oldest sample first."""

    run_id: str
    attempt: int
    interval_seconds: int = Field(description="what a sample stands for; it doubles as a run gets older")
    at: list[float] = Field(description="seconds since the epoch")
    cpu_percent: list[float] = Field(description="of one core; the mean of its interval")
    memory: list[int] = Field(description="bytes of the whole tree; the most of its interval")
    gpu_memory: list[int | None] = Field(description="bytes on all GPUs; null where the driver does not tell")
    gpu_percent: list[float | None] = Field(description="of one GPU's time; null where nobody tells")
    limits: UsageLimits
