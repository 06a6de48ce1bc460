"""Command: a program of the user's, with what ended in its environment and on its standard input."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from runyard.server.notice.failure import NotToldError
from runyard.server.notice.message import variables
from runyard.server.notice.pending import Notice
from runyard_cluster import desktop
from runyard_cluster.process import kill_pids, tree

#: A command that takes longer is ended, in seconds.
COMMAND_SECONDS = 600.0
DESKTOP_SECONDS = 20.0
#: What is told of the output of one that failed, in bytes from its end.
TOLD_BYTES = 300


async def run_command(notice: Notice, cwd: str, environ: Mapping[str, str]) -> None:
    """Run the command of a notice. Raises NotToldError when it cannot start, fails or takes too long."""
    given = {**_foreign(os.environ), **environ, **variables(notice.message)}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        told.write(json.dumps(notice.message).encode())
        told.seek(0)
        await _run(notice.target.words, cwd, given, (told, said), COMMAND_SECONDS)


async def show_on_desktop(title: str, text: str) -> None:
    """Show words on the screen of this machine. Raises NotToldError where nobody sits."""
    command = desktop.program(title, text)
    if command is None:
        raise NotToldError(desktop.NEEDED, is_final=True)
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as nothing:
        await _run(command, str(Path.cwd()), dict(os.environ), (nothing, said), DESKTOP_SECONDS)


async def _run(
    command: Sequence[str],
    cwd: str,
    environ: dict[str, str],
    streams: tuple[IO[bytes], IO[bytes]],
    limit: float,
) -> None:
    """Files and no pipes: who waits for a pipe waits for all that a command leaves behind."""
    told, said = streams
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=told, stdout=said, stderr=said, cwd=cwd, env=environ, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise NotToldError(f"it cannot be started: {error}", is_final=True) from error
    try:
        async with asyncio.timeout(limit):
            code = await process.wait()
    except TimeoutError:
        raise NotToldError(f"it did not end within {limit:g} s", is_final=True) from None
    finally:
        # Too late, or the server leaves: nothing of it stays behind.
        if process.returncode is None:
            _end(process.pid)
            await process.wait()
    if code != 0:
        raise NotToldError(f"it exited with {code}{_end_of(said)}", is_final=True)


def _end(pid: int) -> None:
    kill_pids([*tree([pid]), pid])


def _end_of(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - TOLD_BYTES))
    words = said.read().decode("utf-8", "replace").strip()
    return f": {words}" if words else ""


def _foreign(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the server's environment without our own variables, which would be taken for those of the end."""
    return {name: value for name, value in environ.items() if not name.upper().startswith("RUNYARD_")}
