"""The same call for each of the runs that somebody named, all that can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runyard.cli.exit_code import GOOD, SOME_FAILED
from runyard.cli.say import complain, put, put_json
from runyard.cli.select import Selected, runs_of, select
from runyard.cli.verb import Options
from runyard_cluster.errors import RunyardError

if TYPE_CHECKING:
    from runyard.cli.source import Source
    from runyard.client import Client


Call = Callable[["Client", str], dict[str, Any]]


def act_on_each(options: Options, names: Sequence[str], call: Call, done: str) -> int:
    """Call for each run, say what cannot be done, and return the exit code. Of a batch, what runs is meant."""
    source = options.source()
    run_ids = [run_id for each in select(source, names) for run_id in _meant(source, each)]
    return _act(options, [(run_id, call) for run_id in dict.fromkeys(run_ids)], done)


def act_on_selected(options: Options, names: Sequence[str], on_run: Call, on_batch: Call, done: str) -> int:
    """Call for each run and for each batch as a whole, say what cannot be done, and return the exit code."""
    selected = select(options.source(), names)
    return _act(options, [(each.id, on_batch if each.is_batch else on_run) for each in selected], done)


def _act(options: Options, calls: Sequence[tuple[str, Call]], done: str) -> int:
    answers: list[dict[str, Any]] = []
    code = GOOD
    with options.starting_client() as client:
        for name, call in calls:
            try:
                answers.append(call(client, name))
                if not options.is_json:
                    put(f"{name}  {done}")
            except RunyardError as error:
                complain(str(error))
                code = SOME_FAILED
    if options.is_json:
        put_json(answers)
    return code


def _meant(source: Source, each: Selected) -> list[str]:
    if not each.is_batch:
        return [each.id]
    return [run["run_id"] for run in runs_of(source, [each]) if run["status"] == "running"]
