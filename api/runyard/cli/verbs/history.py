"""`runyard history`: runs, newest first."""

from __future__ import annotations

from typing import Any

import click

from runyard.cli.params import MOMENT
from runyard.cli.say import put, put_json, say
from runyard.cli.select import select_batch
from runyard.cli.source import PAGE
from runyard.cli.tally import ENDED
from runyard.cli.verb import Options, verb
from runyard.cli.view.run_table import history_table
from runyard.cli.view.words import window_width


@verb(
    help="List runs, newest first. Works with and without a server.",
    examples="""runyard history --status failed --since 2h
runyard history --batch last --limit 200
runyard history --exit-code 137 --exit-code 1
runyard history --module train --json""",
)
@click.option("--status", multiple=True, type=click.Choice(["queued", "running", *ENDED]), help="May repeat.")
@click.option(
    "--exit-code",
    type=int,
    multiple=True,
    metavar="N",
    help="Only runs that ended with that code. May repeat.",
)
@click.option("--module", "module_id", metavar="ID", help="Only runs of that module.")
@click.option(
    "--batch", metavar="BATCH", help="Only runs of that batch: an id, its beginning, a name, or last."
)
@click.option("--label", metavar="K[=V]", help="Only runs with that label.")
@click.option("--search", "q", metavar="TEXT", help="Only runs with that text in module, id or message.")
@click.option("--since", type=MOMENT, metavar="WHEN", help='Submitted since: a date, or a time back as "2h".')
@click.option("--until", type=MOMENT, metavar="WHEN", help="Submitted before.")
@click.option(
    "--limit", type=click.IntRange(1, PAGE), default=50, show_default=True, help="At most that many."
)
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out that many of the newest.")
def command(
    options: Options,
    batch: str | None,
    status: tuple[str, ...],
    exit_code: tuple[int, ...],
    limit: int,
    offset: int,
    **given: Any,
) -> None:
    """Print a page of history."""
    source = options.source()
    filters = {k: v for k, v in given.items() if v is not None}
    if status:
        filters["status"] = list(status)
    if exit_code:
        filters["exit_code"] = list(exit_code)
    if batch is not None:
        filters["batch_id"] = select_batch(source, batch)
    page = source.runs(limit=limit, offset=offset, **filters)
    if options.is_json:
        put_json(page)
        return
    put(history_table(page["runs"], window_width()))
    if page["total"] > offset + len(page["runs"]):
        say(f"runyard: {offset + 1} to {offset + len(page['runs'])} of {page['total']}; --offset shows more")
