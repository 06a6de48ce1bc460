"""`runyard restart`: runs submitted again as new ones."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.say import put, put_json, say
from runyard.cli.select import runs_of, select
from runyard.cli.verb import Options, verb


@verb(
    help="Submit runs again as new runs, as they were. Prints the new ids, and what changed of their code since.",
    examples="runyard restart last\nrunyard restart 01JAB 01JAC",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
def command(options: Options, names: tuple[str, ...]) -> None:
    """Restart each run named."""
    source = options.source()
    runs = runs_of(source, select(source, names))
    with options.starting_client() as client:
        fresh = []
        for run in runs:
            fresh.append(client.restart(run["run_id"], None))
            if not options.is_json:
                put(fresh[-1]["run_id"])
                if changed := fresh[-1].get("code_changed"):
                    say(f"runyard: since run {run['run_id']}: {'; '.join(changed)}")
    if options.is_json:
        put_json({"runs": fresh, "total": len(fresh)})
