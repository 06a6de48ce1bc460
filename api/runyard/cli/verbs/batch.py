"""`runyard batch`: all rows of a file, shown as they go."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.exit_code import GOOD, INTERRUPTED, SOME_FAILED
from runyard.cli.interrupt import terminate_as_interrupt
from runyard.cli.resumed import resumed
from runyard.cli.say import complain, is_terminal, put, put_json, say
from runyard.cli.select import select_batch
from runyard.cli.source import ServerSource, every_run
from runyard.cli.tally import Tally
from runyard.cli.verb import Options, verb
from runyard.cli.view.batch_lines import advice_lines, summary
from runyard.cli.view.batch_view import batch_view
from runyard.cli.view.dry_lines import dry_lines
from runyard.cli.view.words import plural, window_width
from runyard.cli.watch import Watch
from runyard.submitting import REASON, Submitting
from runyard_cluster.errors import RunyardError

if TYPE_CHECKING:
    from runyard.batch_file import BatchFile
    from runyard.client import Client


@verb(
    help="Run all rows of FILE: TOML, JSON, JSON Lines or CSV. Exits with 1 when any run did not complete.",
    examples="""runyard batch sweep.toml
runyard batch runs.csv --max-concurrent 4
runyard batch runs.jsonl --detach --json
runyard batch grid.toml --dry-run
runyard batch --for-each photos.csv -- convert {photo} {photo}.webp
runyard batch --open --name photos
runyard batch more.csv --add @photos && runyard close @photos""",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="FILE | -- COMMAND...")
@click.option(
    "--for-each",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run COMMAND once for each row of FILE, with its columns in place of {column}.",
)
@click.option(
    "--resume", is_flag=True, help="Leave out what completed before with --resume, and is the same now."
)
@click.option("--dry-run", is_flag=True, help="Print what would be submitted, and submit nothing.")
@click.option("--max-concurrent", type=click.IntRange(1), metavar="N", help="At most N of its runs at once.")
@click.option(
    "--max-failures", type=click.IntRange(1), metavar="N", help="After N failed runs, cancel the rest."
)
@click.option(
    "--after-batch",
    metavar="BATCH",
    help="Each run starts when the one with its index in BATCH, of as many runs, completed.",
)
@click.option(
    "--open", "is_open", is_flag=True, help="Take further runs by --add until 'close'; needs no FILE."
)
@click.option("--add", metavar="BATCH", help="Add the rows to an open batch; print their ids and return.")
@click.option(
    "--on-end", metavar="COMMAND", help="Run COMMAND, split as a shell does, when the batch has ended."
)
@click.option("--webhook", metavar="URL", help="Send its digest there when the batch has ended.")
@click.option("--name", metavar="NAME", help="What people see; the file's own, or its name.")
@click.option("--detach", is_flag=True, help="Print the batch's id and return at once.")
def command(
    options: Options, words: tuple[str, ...], detach: bool, dry_run: bool, resume: bool, **given: Any
) -> int:
    """Read the file, submit all of it, watch it."""
    body = _body(words, given)
    if resume:
        body["runs"] = resumed(options, body["runs"])
        if not body["runs"]:
            put_json({**body, "runs": []}) if options.is_json else put(
                "nothing is left to do: all completed before"
            )
            return GOOD
    if dry_run:
        put_json(body) if options.is_json else put("\n".join(dry_lines(body)))
        return GOOD
    if given["add"] is not None:
        return _add(options, given["add"], body["runs"])
    with (
        options.starting_client() as client,
        terminate_as_interrupt(),
        Submitting(
            lambda key: client.submit_batch(body, key),
            lambda accepted: client.cancel_batch(accepted["batch_id"], REASON),
        ) as submitting,
    ):
        watch = None if detach or given["is_open"] else Watch(client)
        batch = submitting.submit()
        if watch is None:
            put_json(batch) if options.is_json else put(batch["batch_id"])
            submitting.hand_over()
            return GOOD
        return _Attendance(client, watch, batch, options).attend(submitting)


def _body(words: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the submit. Raises UsageError and InvalidRequestError."""
    if given["is_open"] and given["add"] is not None:
        raise click.UsageError("--open begins a batch and --add goes on with one; give one of them")
    if given["is_open"] and not words:
        chosen = {k: given[k] for k in ("name", "max_concurrent", "max_failures", "webhook") if given[k]}
        if given["on_end"]:
            chosen["on_end"] = shlex.split(given["on_end"])
        return {"runs": [], "open": True, **chosen}
    return request(*_read(words, given["for_each"]), given)


def _add(options: Options, name: str, runs: list[dict[str, Any]]) -> int:
    batch_id = select_batch(options.source(), name)
    with (
        options.starting_client() as client,
        Submitting(
            lambda key: client.add_runs(batch_id, {"runs": runs}, key),
            lambda accepted: [client.cancel(run["run_id"], REASON) for run in accepted["runs"]],
        ) as submitting,
    ):
        added = submitting.submit()
        if options.is_json:
            put_json(added)
        else:
            put("\n".join(run["run_id"] for run in added["runs"]))
        submitting.hand_over()
    if not options.is_json:
        say(f"runyard: {plural(len(added['runs']), 'run')} added to batch {batch_id}")
    return GOOD


def _read(words: tuple[str, ...], for_each: Path | None) -> tuple[BatchFile, Path]:
    """Return what is to be run, and the file that names it. Raises UsageError and InvalidRequestError."""
    from runyard.batch_file import read_batch_file
    from runyard.for_each import read_for_each

    if for_each is not None:
        if not words:
            raise click.UsageError("name a command after --, with {column} where a value belongs")
        return read_for_each(for_each, words), for_each
    if len(words) != 1:
        raise click.UsageError("name one batch file; a command after -- needs --for-each FILE")
    return read_batch_file(Path(words[0])), Path(words[0])


def request(batch: BatchFile, file: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the submit; the command line goes before the file."""
    body = {
        "runs": batch.runs,
        "name": given["name"] or batch.name or file.stem,
        "max_concurrent": given["max_concurrent"] or batch.max_concurrent,
        "max_failures": given["max_failures"] or batch.max_failures,
        "after_batch": given["after_batch"] or batch.after_batch,
        "on_end": shlex.split(given["on_end"]) if given.get("on_end") else batch.on_end,
        "webhook": given.get("webhook") or batch.webhook,
        "open": given.get("is_open") or None,
    }
    return {k: v for k, v in body.items() if v is not None}


class _Attendance:
    """One batch while it is watched."""

    def __init__(self, client: Client, watch: Watch, batch: Mapping[str, Any], options: Options) -> None:
        self._client = client
        self._watch = watch
        self._options = options
        self._id: str = batch["batch_id"]
        self._name: str | None = batch["name"]
        self._ours = {run["run_id"] for run in batch["runs"]}
        self._tally = Tally(len(self._ours))
        self._start = time.monotonic()
        self._was_interrupted = False

    def attend(self, submitting: Submitting) -> int:
        """Show the batch until it has ended; return the exit code."""
        while not self._tally.is_done:
            try:
                submitting.hand_over()
                if is_terminal(sys.stdout) and self._tally.expected_seconds is None:
                    self._tally.expected_seconds = self._client.batch(self._id)["eta_seconds"]
                self._show()
            except KeyboardInterrupt:
                if not self._goes_on_after_interrupt():
                    return INTERRUPTED
        self._conclude()
        if self._was_interrupted:
            return INTERRUPTED
        return SOME_FAILED if self._tally.has_failed else GOOD

    def _show(self) -> None:
        """Lines are talk when the data is JSON."""
        with batch_view(self._tally, sys.stderr if self._options.is_json else sys.stdout) as view:
            for run in self._watch.runs():
                if run["run_id"] in self._ours and self._tally.take(run):
                    view.ended(run)
                    if self._tally.is_done:
                        return

    def _goes_on_after_interrupt(self) -> bool:
        """Cancel an embedded batch and see it end; leave a server's batch to the server."""
        left = plural(self._tally.total - self._tally.ended, "run")
        if self._was_interrupted or not self._client.is_embedded:
            say(f"runyard: batch {self._id} goes on with {left}; 'runyard cancel @{self._id}' stops it")
            return False
        self._was_interrupted = True
        say(f"runyard: interrupted; cancelling {left} of batch {self._id}")
        self._client.cancel_batch(self._id, REASON)
        return True

    def _conclude(self) -> None:
        elapsed = time.monotonic() - self._start
        if self._options.is_json:
            runs = list(every_run(ServerSource(self._client), batch_id=self._id))
            put_json({**self._client.batch(self._id), "runs": runs})
            return
        put(summary(self._tally, elapsed, self._name, self._id, window_width()))
        try:
            advice = self._client.batch_advice(self._id)["advice"]
        except RunyardError:
            advice = []  # The batch has been told of; a server that leaves now has nothing to add.
        for line in advice_lines(advice):
            put(line)
        if self._was_interrupted:
            complain(f"batch {self._id} was cancelled by Ctrl-C")
