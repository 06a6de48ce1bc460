"""`runyard export`: a run or a batch as one HTML file."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click

from runyard.cli.complete import complete_run
from runyard.cli.log_reader import LogReader, log_reader
from runyard.cli.say import put, put_json, say
from runyard.cli.select import BATCHES_LOOKED_AT, select
from runyard.cli.source import Source, every_run
from runyard.cli.verb import Options, verb
from runyard.export.batch_page import batch_page
from runyard.export.log_part import LogPart, log_part
from runyard.export.run_page import run_page
from runyard_cluster.errors import NotFoundError, UnavailableError

#: What is kept of a log in the page of its run, and in that of a batch, in bytes.
RUN_LOG_BYTES = 2 << 20
BATCH_LOG_BYTES = 64 << 10
#: Runs and failed runs with their logs that the page of a batch shows at most.
MOST_RUNS = 5_000
MOST_LOGS = 100


@verb(
    help="Write RUN or @BATCH into one HTML file, to keep or to send: request, timeline, log; of a batch all runs and "
    "the logs of the failed. It needs no server, no network and no scripts to be read.",
    examples="runyard export last --html\nrunyard export @sweep --html -o sweep.html\nrunyard export 01JAB --html -o -",
)
@click.argument("name", metavar="RUN|@BATCH", shell_complete=complete_run)
@click.option("--html", is_flag=True, required=True, help="As HTML, the only format there is.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where to; '-' prints it. Else named after the run, in this folder.",
)
def command(options: Options, name: str, html: bool, output: str | None) -> None:
    """Write the file, and print its name."""
    source = options.source()
    (found,) = select(source, [name])
    with log_reader(options, source) as logs:
        if found.is_batch:
            title, text = _batch(source, logs, found.id)
        else:
            title, text = _run(source, logs, found.id)
    if output == "-":
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        return
    path = Path(output or f"{title}.html")
    try:
        path.write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error
    if options.is_json:
        put_json({"file": str(path), "bytes": path.stat().st_size})
        return
    put(str(path))
    say(f"runyard: {path.stat().st_size} bytes written")


def _run(source: Source, logs: LogReader, run_id: str) -> tuple[str, str]:
    run, now = source.run(run_id), datetime.now(UTC)
    log = _log(logs, run, RUN_LOG_BYTES)
    return _file_name(run["module_name"], run_id), run_page(run, source.attempts(run_id), log, now)


def _batch(source: Source, logs: LogReader, batch_id: str) -> tuple[str, str]:
    batch = next((b for b in source.batches(BATCHES_LOOKED_AT) if b["batch_id"] == batch_id), None)
    if batch is None:
        raise NotFoundError(f"no batch {batch_id} is known")
    runs = list(islice(every_run(source, batch_id=batch_id), MOST_RUNS))
    failed = [run for run in runs if run["status"] == "failed"][:MOST_LOGS]
    parts = {run["run_id"]: _log(logs, run, BATCH_LOG_BYTES) for run in failed}
    return _file_name(batch["name"] or "batch", batch_id), batch_page(batch, runs, parts, datetime.now(UTC))


def _log(logs: LogReader, run: dict[str, Any], most_bytes: int) -> LogPart:
    if not run["attempt"]:
        return LogPart(head="")
    size = logs.size(run["run_id"], run["attempt"])
    return log_part(partial(logs.read, run["run_id"], run["attempt"]), size, most_bytes)


def _file_name(name: str, of: str) -> str:
    """Return a name that every file system takes."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-.')[:80] or 'run'}-{of}"
