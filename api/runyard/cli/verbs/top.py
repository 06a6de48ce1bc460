"""`runyard top`: runs and the machine, live."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.say import has_colour, is_terminal, put, put_json
from runyard.cli.source import ServerSource
from runyard.cli.verb import Options, verb
from runyard.cli.verbs.ps import active
from runyard.cli.view.machine import machine_lines
from runyard.cli.view.run_table import active_table
from runyard.cli.view.words import plural

if TYPE_CHECKING:
    from runyard.client import Client


@verb(
    help="Watch runs and the machine live; without a terminal, once.",
    examples="runyard top --interval 5",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    help="Seconds between looks.",
)
def command(options: Options, interval: float) -> None:
    """Look again and again until Ctrl-C."""
    with options.client() as client:
        if options.is_json or not is_terminal(sys.stdout):
            found = look(client, 1_000)
            put_json(found) if options.is_json else put("\n".join(frame(found, None, 10_000)))
            return
        _watch(client, interval)


def look(client: Client, limit: int) -> dict[str, Any]:
    """Return resources, active runs and what each of them uses, as they are now."""
    runs, total = active(ServerSource(client), limit)
    usage = {each["run_id"]: each for each in client.usage()["runs"]}
    return {"resources": client.resources(), "runs": runs, "total": total, "usage": usage}


def frame(found: dict[str, Any], width: int | None, height: int) -> list[str]:
    """Return one look as lines that fit the window."""
    lines = [*machine_lines(found["resources"]), ""]
    room = max(1, height - len(lines) - 3)
    shown = found["runs"][:room]
    lines += active_table(shown, width, usage=found["usage"]).split("\n")
    if found["total"] > len(shown):
        lines.append(f"and {plural(found['total'] - len(shown), 'run')} more")
    return lines


def _watch(client: Client, interval: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(no_color=not has_colour(sys.stdout), highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            size = shutil.get_terminal_size()
            lines = frame(look(client, size.lines), size.columns, size.lines)
            live.update(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
            time.sleep(interval)
