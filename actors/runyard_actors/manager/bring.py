"""Bring: what a run wrote on another node comes to the same folder here, so that all who read logs read it alike.

A log is brought when somebody reads it, every few seconds beside that, and to its end when the run has ended: history
does not depend on its node, and of a node that is lost, what its runs printed until then is here. Where both see the
same disk there is nothing to bring.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from runyard_actors.attempt_file import LOG, LOG_GAP, REPORT, TIME_INDEX, TROUBLE, USAGE
from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.yard import Yard, log
from runyard_actors.nodes.messages import FileState
from runyard_actors.run import AttemptKey
from runyard_actors.run_folder import RunFolder
from runyard_actors.steps import Steps
from runyard_cluster.errors import UnavailableError
from runyard_cluster.files import durable_replace

#: What is brought of a run folder beside the log; all else is between the shim and its node.
BROUGHT = frozenset({TIME_INDEX, LOG_GAP, REPORT, USAGE, TROUBLE})
#: Bytes that are asked for at once: few enough for a network that is busy with more.
PART_BYTES = 4 << 20
#: Of a file that is no log, this much is brought; a module may write as much as it likes into its report.
MOST_BYTES = 16 << 20
#: What is new of all logs is brought this often, in seconds, and no more of each log at once than a part.
BRING_SECONDS = 3.0


async def bring(yard: Yard, run_id: str, attempt: int) -> None:
    """Bring what is new of an active attempt on another node; nothing, if it is none. Raises UnavailableError."""
    found = next((a for a in yard.active.values() if a.key == (run_id, attempt)), None)
    node = yard.other(found) if found else None
    if found and node and not node.sees_data_dir:
        await _bring(node, found.key, found.folder)


async def bring_all(yard: Yard, attempt: ActiveRun) -> None:
    """Bring all of an attempt that has ended; what cannot be brought is left there, and told of."""
    node = yard.other(attempt)
    if node is None or node.sees_data_dir:
        return
    try:
        await _bring(node, attempt.key, attempt.folder)
    except (UnavailableError, OSError) as error:
        log.warning("the log of run %s stays on %s: %s", attempt.run_id, node.name, error)


async def bring_for_ever(yard: Yard) -> None:
    """Every few seconds, bring what is new of all attempts on nodes that are heard of."""
    steps = Steps()
    while True:
        await asyncio.sleep(BRING_SECONDS)
        nodes = [n for n in yard.others.values() if n.line.is_open.is_set() and not n.sees_data_dir]
        news = (steps.do(f"bringing logs from {node.name}", _bring_new(yard, node)) for node in nodes)
        await asyncio.gather(*news)


async def bring_lost(yard: Yard, node: OtherNode, keys: Iterable[AttemptKey]) -> None:
    """Bring the rest of attempts that were given up, now that their node is heard of again."""
    if not node.sees_data_dir:
        try:
            for key in keys:
                await _bring(node, key, yard.folder(*key))
        except (UnavailableError, OSError) as error:
            log.warning("logs of runs that were lost stay on %s: %s", node.name, error)


async def _bring_new(yard: Yard, node: OtherNode) -> None:
    there = [a for a in yard.active.values() if a.is_started and yard.other(a) is node]
    node.forget_brought({a.key for a in there})
    if not there:
        return
    try:
        found: list[list[FileState]] = await node.line.ask("files", [a.key for a in there])
        for attempt, files in zip(there, found, strict=True):
            if attempt.run_id in yard.active:
                await _bring_files(node, attempt.key, attempt.folder, files, PART_BYTES)
    except (UnavailableError, OSError) as error:
        log.warning("logs are not brought from %s: %s", node.name, error)


async def _bring(node: OtherNode, key: AttemptKey, folder: RunFolder) -> None:
    found: list[list[FileState]] = await node.line.ask("files", [key])
    await _bring_files(node, key, folder, found[0])


async def _bring_files(
    node: OtherNode, key: AttemptKey, folder: RunFolder, files: Iterable[FileState], most: int | None = None
) -> None:
    """Bring files, `most` bytes of the log at once."""
    async with node.bringing.setdefault(key, asyncio.Lock()):
        await asyncio.to_thread(folder.create)
        for file in files:
            path = folder.path / file.name
            if file.name == LOG:
                await _bring_log(node, key, folder, file, most)
            elif file.name in BROUGHT and not await asyncio.to_thread(_is_here, path, file):
                data = await node.line.ask("read", key, file.name, 0, MOST_BYTES)
                await asyncio.to_thread(_replace, path, data, file)


async def _bring_log(
    node: OtherNode, key: AttemptKey, folder: RunFolder, file: FileState, most: int | None
) -> None:
    at = folder.log_size()
    gap = folder.log_gap()
    end = file.size if most is None else min(file.size, at + most)
    while at < end:
        if gap and gap[0] <= at < gap[1]:
            at = gap[1]
            continue
        data = await node.line.ask("read", key, LOG, at, min(PART_BYTES, file.size - at))
        if not data:
            return
        await asyncio.to_thread(_write, folder.log_file, at, data)
        at += len(data)


def _is_here(path: Path, file: FileState) -> bool:
    try:
        return path.stat().st_mtime_ns == file.mtime_ns
    except FileNotFoundError:
        return False


def _replace(path: Path, data: bytes, file: FileState) -> None:
    durable_replace(path, data)
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))


def _write(path: Path, offset: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(offset)
        file.write(data)
