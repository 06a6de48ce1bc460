"""What every verb shares: the global options, taken before or after it, and the way to server and store."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.say import is_terminal, say
from runyard_cluster.errors import ConnectionFailedError

if TYPE_CHECKING:
    from runyard.cli.source import Source
    from runyard.client import Client
    from runyard_cluster.data_dir import DataDir


@dataclass(slots=True)
class Options:
    """The global options of one command line."""

    config: Path | None = None
    url: str | None = None
    is_json: bool = False

    def client(self) -> Client:
        """Return a client of the running server. Raises ConnectionFailedError when there is none."""
        found = self.client_if_up()
        if found is None:
            raise ConnectionFailedError("no server is running; 'runyard up' starts one")
        return found

    def client_if_up(self) -> Client | None:
        """Return a client of the running server, or None."""
        from runyard.yard import find

        return find(self.config, self.url)

    def starting_client(self) -> Client:
        """Return a client of the running server, or of an embedded one started now."""
        from runyard.yard import find_or_start
        from runyard_cluster.server_record import running_server

        if not self.is_elsewhere and is_terminal(sys.stderr) and running_server(self.data_dir()) is None:
            say("runyard: no server is running; starting one for this")
        return find_or_start(self.config, self.url)

    def data_dir(self) -> DataDir:
        """Return the data folder on this machine."""
        from runyard_cluster.locate import locate

        return locate(self.config)

    def source(self) -> Source:
        """Return where to look runs up: the server at `--url`, else this machine's store, server or not."""
        from runyard.cli.source import ServerSource, StoreSource

        if self.is_elsewhere:
            client = self.client()
            if context := click.get_current_context(silent=True):
                context.call_on_close(client.close)
            return ServerSource(client)
        return StoreSource(self.data_dir())

    @property
    def is_elsewhere(self) -> bool:
        """Whether a server's address was given, so that this machine's store has no say."""
        return bool(self.url or os.environ.get("RUNYARD_URL"))


class OutputGoneError(Exception):
    """Whoever read the output has gone away, as `head` does."""


class Verb(click.Command):
    """A command that takes the global options as well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(global_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Call the verb. Raises OutputGoneError for a lost reader, which click would take for a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputGoneError from error


def verb(
    *, examples: str = "", kind: type[Verb] = Verb, **attributes: Any
) -> Callable[[Callable[..., Any]], Verb]:
    """Make a function a verb. It gets `Options` first; `examples` are shown under its help."""
    if examples:
        attributes["epilog"] = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples.splitlines())

    def decorate(function: Callable[..., Any]) -> Verb:
        return click.command(cls=kind, **attributes)(click.pass_obj(function))

    return decorate


def global_options() -> list[click.Option]:
    """Return fresh global options; each stores what it is given where all verbs find it."""
    return [
        click.Option(
            ["--json", "is_json"],
            is_flag=True,
            expose_value=False,
            callback=_store,
            help="Print JSON, for programs.",
        ),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=_store,
            help="The runyard.toml to use.",
        ),
        click.Option(
            ["--url"],
            expose_value=False,
            callback=_store,
            metavar="URL",
            help="The address of a server elsewhere.",
        ),
    ]


def _store(context: click.Context, option: click.Parameter, value: Any) -> None:
    """An option that is not given after the verb leaves what was given before it."""
    assert option.name is not None
    if value:
        setattr(context.ensure_object(Options), option.name, value)
