"""Frames: whole Python values over a stream between two processes of ours on one machine."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any, Final, cast

#: Each value is sent with its size before it, in so many bytes.
SIZE_BYTES = 4
#: Whoever connects says a secret of so many bytes first; nothing is read of one who does not know it.
SECRET_BYTES: Final = 16


class Frames(asyncio.Protocol):
    """One end of a stream. `on_value` is called with each value that came whole, `on_lost` once, at the end of it.

    An end that `expects` a secret hangs up on whoever does not begin with it.
    """

    def __init__(
        self, on_value: Callable[[Any], None], on_lost: Callable[[], None], expects: bytes = b""
    ) -> None:
        self._on_value = on_value
        self._on_lost = on_lost
        self._expects = expects
        self._received = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        # A loop that is not asyncio's own has transports that only look like its.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that there will be no more values."""
        del exc
        self._transport = None
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Hand on what is whole by now."""
        self._received += data
        if self._expects and not self._is_greeted():
            return
        while (end := SIZE_BYTES + int.from_bytes(self._received[:SIZE_BYTES], "big")) <= len(self._received):
            # Only who knows the secret gets here, and the secret comes from this process itself.
            value = pickle.loads(memoryview(self._received)[SIZE_BYTES:end])  # noqa: S301
            del self._received[:end]
            self._on_value(value)

    def greet(self, secret: bytes) -> None:
        """Say the secret that the other end expects."""
        self._write(secret)

    def send(self, value: Any) -> None:
        """Send a value, unless the stream has ended."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        self._write(len(data).to_bytes(SIZE_BYTES, "big") + data)

    def hang_up(self) -> None:
        """End the stream."""
        if self._transport:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(data)

    def _is_greeted(self) -> bool:
        if len(self._received) < len(self._expects):
            return False
        if self._received[: len(self._expects)] != self._expects:
            self._received.clear()
            self.hang_up()
            return False
        del self._received[: len(self._expects)]
        self._expects = b""
        return True
