"""`runyard`: the group of verbs, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from runyard.cli.exit_code import BROKEN_PIPE, INTERRUPTED, MISUSED, OWN_FAILURE, code_of_error
from runyard.cli.say import be_lenient, complain
from runyard.cli.verb import Options, OutputGoneError, global_options
from runyard_cluster.errors import RunyardError
from runyard_cluster.quoted import quoted

#: Each verb with its line in the overview, so that `--help` imports none of them.
VERBS = {
    "up": "Start the server: Ray, scheduler, API and web page.",
    "down": "Stop the server; runs go on unless --cancel.",
    "open": "Open the web page.",
    "run": "Run one command or module and follow its output.",
    "batch": "Run all rows of a batch file, with live progress.",
    "ps": "List what runs and what is queued.",
    "top": "Watch runs and the machine live.",
    "history": "List runs, newest first.",
    "show": "Show everything about a run.",
    "logs": "Print a run's output.",
    "export": "Write a run or a batch into one HTML file.",
    "wait": "Wait until runs or batches have ended.",
    "cancel": "Cancel runs or batches.",
    "restart": "Submit runs again as new ones.",
    "close": "Have an open batch take no more runs.",
    "retry-failed": "Submit the failed runs of a batch again.",
    "pause": "Start no new runs.",
    "drain": "Start no new runs on a node.",
    "undrain": "Let runs start on a node again.",
    "suspend": "Hold running runs still.",
    "resume": "Start runs again after a pause, or let suspended ones go on.",
    "edit": "Change the priority of runs, or a batch's limit.",
    "hold": "Keep queued runs from starting.",
    "release": "Let held runs start.",
    "modules": "List the modules that can be run by id.",
    "resources": "Show nodes, what runs declared, and what is free.",
    "stats": "Count runs by status and module.",
    "doctor": "Say what this machine can enforce, and what is missing.",
    "migrate": "Bring the whole history into another database.",
    "completion": "Print the completion script of a shell.",
}
EPILOG = """\b
Examples:
  runyard run --memory 4GiB -- python train.py --lr 0.1
  runyard batch sweep.toml --max-concurrent 4
  runyard history --status failed --since 2h
  runyard logs -f last
"""


class LazyGroup(click.Group):
    """A group that imports a verb's file when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's file and return its command."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"runyard.cli.verbs.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may have been meant."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            close = get_close_matches(args[0], VERBS, 1)
            hint = f"; did you mean '{close[0]}'?" if close else "; 'runyard --help' lists all"
            raise click.UsageError(f"there is no verb '{args[0]}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=LazyGroup, epilog=EPILOG, invoke_without_command=True)
@click.option("--version", is_flag=True, help="Print the version.")
@click.pass_context
def cli(context: click.Context, version: bool) -> None:
    """Run scripts by the dozen or the thousand: durable, supervised, within limits."""
    if version:
        click.echo(f"runyard {_version()}")
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.params.extend(global_options())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code. Errors are told in one line on standard error."""
    be_lenient()
    try:
        code = cli.main(arguments, prog_name="runyard", standalone_mode=False, obj=Options())
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (OutputGoneError, BrokenPipeError):
        _forget_output()
        return BROKEN_PIPE
    except RunyardError as error:
        complain(str(error))
        return code_of_error(error)
    except UnicodeEncodeError as error:
        complain(f"{quoted(error.object)} holds bytes that are no UTF-8, and so no text")
        return MISUSED
    except Exception as error:
        if os.environ.get("RUNYARD_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        complain(f"internal error: {type(error).__name__}: {error}; RUNYARD_LOG_LEVEL=DEBUG shows where")
        return OWN_FAILURE
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run())


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("runyard")
    except PackageNotFoundError:
        return "(not installed)"


def _misused(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f" ('{context.command_path} --help' says more)" if context and context.parent else ""
    complain(error.format_message().rstrip(".") + where)
    return error.exit_code


def _forget_output() -> None:
    """The reader is gone; without this, the interpreter would complain about it at its end."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # Not a real file, so nothing will be written to it at the end.
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, output)
    os.close(null)
