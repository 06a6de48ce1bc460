"""`runyard suspend`: running runs are held still."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.each_run import act_on_each
from runyard.cli.verb import Options, verb


@verb(
    help="Hold running runs still, until 'resume RUN'; they keep their slots and resources.",
    examples="runyard suspend last\nrunyard suspend @sweep\nrunyard resume last",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
def command(options: Options, names: tuple[str, ...]) -> int:
    """Suspend each; go on when one cannot be, and say so."""
    return act_on_each(options, names, lambda client, run_id: client.suspend(run_id), "suspended")
