"""Printing a log: from the file on this machine, or from a server elsewhere; then following it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runyard.cli.follow import Follower, write_out
from runyard.cli.say import say
from runyard.cli.source import StoreSource
from runyard.cli.tally import ENDED

if TYPE_CHECKING:
    from runyard.client import Client
    from runyard_actors.run_folder import RunFolder

#: How often a growing file is looked at, in seconds: at once, for a person.
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to print of a log. `is_live`: until the end; `goes_on`: on to the next attempt after one."""

    run_id: str
    attempt: int
    tail: int | None = None
    timestamps: bool = False
    goes_on: bool = True
    is_live: bool = False


def from_file(source: StoreSource, wanted: Wanted) -> None:
    """Print the log from its file; while it is followed, the store tells when the run has ended."""
    from runyard_actors import log_file
    from runyard_actors.run_folder import RunFolder

    attempt = wanted.attempt
    folder = RunFolder.of(source.data_dir.runs, wanted.run_id, attempt)
    offset = (
        0 if wanted.tail is None else log_file.tail_offset(folder.log_file, wanted.tail, folder.log_gap())
    )
    while True:
        run = source.run(wanted.run_id)
        is_over = run["status"] in ENDED or run["attempt"] > attempt
        size = max(offset, log_file.size(folder.log_file))
        for block in _blocks(folder, offset, size - offset, wanted.timestamps):
            write_out(block)
        offset = size
        if is_over and wanted.is_live and wanted.goes_on and run["attempt"] > attempt:
            attempt, offset = attempt + 1, 0
            folder = RunFolder.of(source.data_dir.runs, wanted.run_id, attempt)
        elif is_over or not wanted.is_live:
            return
        elif not folder.is_alive() and not _has_server(source):
            say("runyard: no server is running, so this run goes no further for now")
            return
        else:
            time.sleep(LOOK_SECONDS)


def from_server(client: Client, wanted: Wanted) -> None:
    """Print the log as the server sends it."""
    run_id, attempt = wanted.run_id, wanted.attempt
    if not wanted.is_live:
        write_out(client.log(run_id, attempt=attempt, tail=wanted.tail, timestamps=wanted.timestamps))
        return
    offset = 0 if wanted.tail is None else client.log_tail_offset(run_id, wanted.tail, attempt=attempt)
    follower = Follower(client, run_id, attempt, offset, goes_on=wanted.goes_on)
    if not wanted.timestamps:
        for block in follower.blocks():
            write_out(block)
        return
    for number, start, length in whole_lines(follower):
        write_out(client.log(run_id, attempt=number, offset=start, limit=length, timestamps=True))


def whole_lines(follower: Follower) -> Iterator[tuple[int, int, int]]:
    """Yield attempt, offset and length of what came, cut at line ends, so that each line gets one time.

    Bytes that were dropped within a line count in its length.
    """
    attempt, begin = follower.attempt, follower.offset
    for start, data in follower.pieces():
        if follower.attempt != attempt:
            attempt, begin = follower.attempt, 0
        end = start + data.rfind(b"\n") + 1
        if end > start:
            yield attempt, begin, end - begin
            begin = end
    if begin < follower.offset:
        yield attempt, begin, follower.offset - begin


def _blocks(folder: RunFolder, offset: int, length: int, timestamps: bool) -> Iterator[bytes]:
    from runyard_actors import log_file
    from runyard_actors.log_times import stamped

    gap = folder.log_gap()
    if timestamps:
        return stamped(folder.log_file, folder.time_index_file, offset, length, gap)
    return log_file.shown(folder.log_file, offset, offset + length, gap)


def _has_server(source: StoreSource) -> bool:
    from runyard_cluster.server_record import running_server

    return running_server(source.data_dir) is not None
