"""`runyard cancel`: runs and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runyard.cli.complete import complete_run
from runyard.cli.exit_code import GOOD, SOME_FAILED
from runyard.cli.say import complain, put, put_json
from runyard.cli.select import Selected, select
from runyard.cli.tally import ENDED
from runyard.cli.verb import Options, verb
from runyard.cli.view.words import plural
from runyard_cluster.errors import ConflictError, RunyardError

if TYPE_CHECKING:
    from runyard.cli.source import Source
    from runyard.client import Client


@verb(
    help="Cancel runs and batches: a queued run never starts, a running one is stopped.",
    examples="runyard cancel last\nrunyard cancel @sweep --reason 'wrong data'",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
@click.option("--reason", metavar="TEXT", help="Why; shown with the run.")
def command(options: Options, names: tuple[str, ...], reason: str | None) -> int:
    """Cancel each; go on when one cannot be, and say so."""
    source = options.source()
    selected = select(source, names)
    _refuse_all_ended(source, selected)
    answers: list[dict[str, Any]] = []
    code = GOOD
    with options.starting_client() as client:
        for each in selected:
            try:
                answers.append(_cancel(client, each, reason))
                if not options.is_json:
                    put(_told(answers[-1]))
            except RunyardError as error:
                complain(str(error))
                code = SOME_FAILED
    if options.is_json:
        put_json(answers)
    return code


def _refuse_all_ended(source: Source, selected: list[Selected]) -> None:
    """Where nothing is left to cancel, no server need be started to say so."""
    if any(each.is_batch for each in selected):
        return
    runs = [source.run(each.id) for each in selected]
    if all(run["status"] in ENDED for run in runs):
        raise ConflictError(
            "; ".join(f"run {run['run_id']} has ended already: {run['status']}" for run in runs)
        )


def _cancel(client: Client, each: Selected, reason: str | None) -> dict[str, Any]:
    return client.cancel_batch(each.id, reason) if each.is_batch else client.cancel(each.id, reason)


def _told(answer: dict[str, Any]) -> str:
    if "counts" not in answer:
        state = "cancelled" if answer["status"] == "cancelled" else "is being stopped"
        return f"{answer['run_id']}  {state}"
    left = answer["total"] - sum(answer["counts"].get(status, 0) for status in ENDED)
    stopping = f", {plural(left, 'run')} being stopped" if left else ""
    return f"{answer['batch_id']}  {answer['counts'].get('cancelled', 0)} cancelled{stopping}"
