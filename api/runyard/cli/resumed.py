"""What is left of a batch when history is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runyard.cli.say import say
from runyard.cli.source import every_run
from runyard.cli.view.words import plural

if TYPE_CHECKING:
    from runyard.cli.verb import Options


def resumed(options: Options, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are to run, and say how many are left out. Raises what reading settings and history does."""
    from runyard.resume import LABEL, left_to_do, with_digests
    from runyard_cluster.settings import load_settings

    modules = {} if options.is_elsewhere else load_settings(options.config).modules
    marked = with_digests(runs, modules)
    wanted = {run["labels"][LABEL] for run in marked}
    past = every_run(options.source(), label=LABEL, status=["completed"])
    left = left_to_do(marked, wanted & {run["labels"][LABEL] for run in past})
    if len(left) < len(runs):
        say(f"runyard: {plural(len(runs) - len(left), 'run')} left out, completed before")
    return left
