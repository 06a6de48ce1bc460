"""Where a server listens."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address, and the token it wants."""

    url: str
    token: str = field(repr=False)
    is_embedded: bool = False
