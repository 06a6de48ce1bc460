"""What a shim is told to run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimSpec:
    """One attempt. `env` is complete and final. 0 stands for no limit; times in seconds."""

    run_id: str
    attempt: int
    nonce: str
    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    timeout_seconds: float
    grace_seconds: float
    memory_bytes: int

    def to_json(self) -> bytes:
        """Return the spec as the shim reads it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> ShimSpec:
        """Return the spec that `to_json` wrote."""
        fields = json.loads(data)
        return cls(**{**fields, "command": tuple(fields["command"])})
