"""Identity: whose manager this is. One cluster has one, and a server must not take another yard's for its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runyard_actors.nodes.place import token_digest
from runyard_cluster.data_dir import DataDir


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A data folder on a machine, told from others by its token, and the settings that its manager goes by.

    `url` is where its server listens, if it does.
    """

    node: str
    data_dir: str
    token_digest: str
    settings: Mapping[str, Any]
    url: str | None = None

    def is_of(self, other: Identity) -> bool:
        """Whether both are of the same data folder."""
        return (self.node, self.data_dir, self.token_digest) == (
            other.node,
            other.data_dir,
            other.token_digest,
        )


def identity_of(
    node: str, data_dir: DataDir, settings: Mapping[str, Any], url: str | None = None
) -> Identity:
    """Return the identity of who has this data folder."""
    return Identity(
        node=node,
        data_dir=str(data_dir.path),
        token_digest=token_digest(data_dir),
        settings=settings,
        url=url,
    )
