"""`runyard migrate`: the whole store into another database, of whatever kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runyard.cli.say import is_terminal, put, put_json, say
from runyard.cli.verb import Options, verb
from runyard.cli.view.table import Column, render
from runyard_cluster.database_url import database_place
from runyard_cluster.errors import InvalidRequestError, SettingsError

if TYPE_CHECKING:
    from runyard_actors.store.transfer.transfer import Transferred
    from runyard_cluster.database_url import Where


@verb(
    help="Bring the whole history into another database, and compare it there. The old one stays as it is, the new one "
    "must be empty or not there yet, and no server may run on either. Without FROM_URL it is the one of the settings.",
    examples="runyard migrate postgresql+psycopg://runyard:secret@db/runyard\n"
    "runyard migrate postgresql+psycopg://runyard:secret@db/runyard sqlite:///runyard.db",
)
@click.argument("urls", nargs=-1, metavar="[FROM_URL] TO_URL")
@click.option("--to", metavar="TO_URL", help="The same as TO_URL.")
def command(options: Options, urls: tuple[str, ...], to: str | None) -> None:
    """Bring it over and say what was brought."""
    from runyard_actors.store.transfer.transfer import transfer

    given = [*urls, *([to] if to else ())]
    if not 1 <= len(given) <= 2:
        raise click.UsageError("give the database to fill, or the one to read and the one to fill")
    target = _place(given[-1])
    source = _place(given[0]) if len(given) == 2 else options.data_dir().database
    done = transfer(source, target, _told)
    if options.is_json:
        put_json({"rows": done.rows, "digest": done.digest, "replaced": done.replaced})
        return
    put(render((Column("TABLE"), Column("ROWS", is_number=True)), _cells(done), None))
    if done.replaced:
        say(
            f"{done.replaced} texts held a NUL, which PostgreSQL cannot: it is shown as \N{REPLACEMENT CHARACTER} now"
        )
    say(
        f"read back and equal (digest {done.digest}); now set `database_url` to {target} and start the server"
    )


def _place(url: str) -> Where:
    try:
        return database_place(url, Path.cwd())
    except SettingsError as error:
        raise InvalidRequestError(f"the URL of a database {error}") from error


def _told(what: str, done: int, total: int) -> None:
    """Tell of each step on a terminal, elsewhere of whole tables."""
    if is_terminal(sys.stderr):
        click.echo(f"\r\033[K{what}: {done:,} of {total:,}", err=True, nl=done == total)
    elif done == total:
        say(f"{what}: {total:,}")


def _cells(done: Transferred) -> list[list[str]]:
    return [[table, f"{rows:,}"] for table, rows in sorted(done.rows.items())]
