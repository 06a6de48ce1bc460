"""`runyard resume`: admission goes on, or runs that were held still."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.each_run import act_on_each
from runyard.cli.exit_code import GOOD
from runyard.cli.say import put_json, say
from runyard.cli.verb import Options, verb


@verb(
    help="Start runs again after a pause; with RUN, let suspended runs go on.",
    examples="runyard resume\nrunyard resume last\nrunyard resume @sweep",
)
@click.argument("names", nargs=-1, metavar="[RUN|@BATCH...]", shell_complete=complete_run)
def command(options: Options, names: tuple[str, ...]) -> int:
    """Tell the server."""
    if names:
        return act_on_each(options, names, lambda client, run_id: client.resume(run_id), "goes on")
    with options.client() as client:
        answer = client.resume()
    if options.is_json:
        put_json(answer)
    else:
        say("runyard: runs start again")
    return GOOD
