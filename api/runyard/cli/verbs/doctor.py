"""`runyard doctor`: what this machine can enforce and how, and what is missing."""

from __future__ import annotations

from runyard.cli.fact import Fact
from runyard.cli.health import facts
from runyard.cli.say import put, put_json
from runyard.cli.verb import Options, verb
from runyard.cli.view.table import Column, render
from runyard.cli.view.words import window_width

COLOURS = {"good": "green", "limited": "yellow", "missing": "red"}


@verb(
    help="Say what this machine can enforce and how, and what is missing.",
    examples="runyard doctor\nrunyard doctor --json",
)
def command(options: Options) -> int:
    """Print all facts; exit with 1 when something that is needed is missing."""
    found = facts(options.config)
    if options.is_json:
        put_json([{"subject": f.subject, "state": f.state, "detail": f.detail} for f in found])
    else:
        put(health_table(found, window_width()))
    return 1 if any(f.state == "missing" and f.is_needed for f in found) else 0


def health_table(found: list[Fact], width: int | None) -> str:
    """Return the facts as a table."""
    columns = (Column("WHAT"), Column("STATE"), Column("HOW", gives_way=True))
    return render(columns, [[f.subject, (f.state, COLOURS[f.state]), f.detail] for f in found], width)
