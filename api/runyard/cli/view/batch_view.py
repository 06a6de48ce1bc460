"""Showing a batch as it goes: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from runyard.cli.say import has_colour, is_terminal
from runyard.cli.tally import Tally
from runyard.cli.view.batch_lines import ended_line, live_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

#: How often the live view is drawn, a second: smooth enough for a clock that shows tenths.
DRAWS_PER_SECOND = 4


class BatchView(AbstractContextManager["BatchView"], Protocol):
    """Shows a tally while it is entered."""

    def ended(self, run: Mapping[str, Any]) -> None:
        """Show that a run ended."""
        ...


def batch_view(tally: Tally, stream: TextIO) -> BatchView:
    """Return the view that suits `stream`."""
    can_draw = (stream.encoding or "").lower().startswith("utf")
    return LiveView(tally, stream) if is_terminal(stream) and can_draw else PlainView(tally, stream)


class PlainView(BatchView):
    """A line for each run that ended."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        self._tally = tally
        self._stream = stream

    def ended(self, run: Mapping[str, Any]) -> None:
        """Print the run's line at once, so that a pipe's reader sees it."""
        click.echo(ended_line(run, self._tally), file=self._stream, color=has_colour(self._stream))

    def __exit__(self, *_: object) -> None:
        return None


class LiveView(BatchView):
    """A view that is drawn again in place; failed runs scroll by above it."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self._start = time.monotonic()
        self._console = Console(file=stream, no_color=not has_colour(stream), highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=DRAWS_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def ended(self, run: Mapping[str, Any]) -> None:
        """Keep the line of a run that did not complete."""
        if run["status"] != "completed":
            from rich.text import Text

            self._console.print(Text.from_ansi(ended_line(run, self._tally)))

    def _drawn(self) -> RenderableType:
        from rich.text import Text

        size = shutil.get_terminal_size()
        elapsed = time.monotonic() - self._start
        lines = live_lines(self._tally, elapsed, size.columns, size.lines, datetime.now(UTC))
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")
