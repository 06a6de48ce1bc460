"""A shipment: which snapshot a run starts from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shipment:
    """`digest` tells the snapshot from all others; `root` is the folder that it was taken of."""

    digest: str
    root: str
