"""Why somebody could not be told."""

from __future__ import annotations


class NotToldError(Exception):
    """It could not be delivered; `is_final`: another try would change nothing."""

    def __init__(self, words: str, is_final: bool = False) -> None:
        super().__init__(words)
        self.is_final = is_final
