"""Leaving: by whom, and how often, a server was told to go."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any


class Leaving:
    """`is_told` is set by a signal, or by whoever calls `tell`. Belongs to one event loop."""

    def __init__(self) -> None:
        self.is_told = asyncio.Event()
        self._signals = 0
        self._signalled_again = asyncio.Event()

    @property
    def is_signalled(self) -> bool:
        """Whether it was a signal: Ctrl-C, a terminal that is gone, a service that is stopped."""
        return self._signals > 0

    def tell(self) -> None:
        """Have the server leave."""
        self.is_told.set()

    def on_signals(self) -> None:
        """Take signals that end a server for what they are from now on."""
        loop = asyncio.get_running_loop()
        for number in _leaving_signals():
            try:
                loop.add_signal_handler(number, self._on_signal)
            except NotImplementedError:
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._on_signal))

    async def unless_signalled_again(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do what is left to do before leaving; a second signal ends that."""
        doing = asyncio.ensure_future(work)
        again = asyncio.ensure_future(self._signalled_again.wait())
        await asyncio.wait([doing, again], return_when=asyncio.FIRST_COMPLETED)
        doing.cancel()
        again.cancel()
        await asyncio.gather(doing, again, return_exceptions=True)

    def _on_signal(self) -> None:
        self._signals += 1
        self.is_told.set()
        if self._signals > 1:
            self._signalled_again.set()


def _leaving_signals() -> list[signal.Signals]:
    """Return what tells this server to leave; a closed terminal too, unless it was started to outlive that."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers
