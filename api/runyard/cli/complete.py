"""Shell completion of the names of runs and batches, from this machine's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runyard.cli.say import clean
from runyard_cluster.errors import RunyardError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The newest runs and batches that are offered.
OFFERED = 30


def complete_run(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer runs, or batches after an @; a store that cannot be read offers nothing."""
    try:
        return _batches(incomplete) if incomplete.startswith("@") else _runs(incomplete)
    except (RunyardError, OSError):
        return []


def _runs(incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from runyard.cli.verb import Options

    runs = Options().source().runs(limit=OFFERED)["runs"]
    items = [CompletionItem("last", help="the newest run")]
    items += [CompletionItem(r["run_id"], help=clean(f"{r['status']} {r['module_name']}")) for r in runs]
    return [item for item in items if item.value.startswith(incomplete)]


def _batches(incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from runyard.cli.verb import Options

    batches = Options().source().batches(OFFERED)
    items = [CompletionItem("@last", help="the newest batch")]
    items += [CompletionItem(f"@{b['batch_id']}", help=clean(b["name"] or "")) for b in batches]
    return [item for item in items if item.value.startswith(incomplete)]
