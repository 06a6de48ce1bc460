"""Asking a spawner for shims."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import LaunchReport
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.spawner.main import REQUEST
from runyard_cluster import process

#: A spawner that dies under a request is replaced this often before a shim is started without one.
TRIES = 2
#: A spawner that does not answer for so long is taken for dead. If it is not, the shim that comes second refuses.
ANSWER_SECONDS = 30.0
_ANSWER_BYTES = 1 << 16


class Line:
    """The line to one shim: it answers once, and the line closes with the shim's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    async def report(self) -> LaunchReport:
        """Return the shim's answer; an empty report when there was none, or none in time."""
        try:
            answer = await asyncio.wait_for(self._answer(), ANSWER_SECONDS)
        except (OSError, TimeoutError):
            return LaunchReport()
        return LaunchReport(**json.loads(answer)) if answer else LaunchReport()

    async def _answer(self) -> bytes:
        loop, answer = asyncio.get_running_loop(), b""
        while not answer.endswith(b"\n"):
            data = await loop.sock_recv(self._end, _ANSWER_BYTES)
            if not data:
                return b""
            answer += data
        return answer

    async def closed(self) -> None:
        """Wait until the shim has ended; what else it says is of no interest."""
        loop = asyncio.get_running_loop()
        try:
            while await loop.sock_recv(self._end, _ANSWER_BYTES):
                pass
        except ConnectionError:
            return

    def close(self) -> None:
        """Have done with the line; the shim goes on."""
        self._end.close()


class Spawner:
    """Starts shims from one event loop. Its process is started with the first one, and again whenever it is gone.

    `command` starts that process and `env` is its environment: a plain one, or one that is warm for some modules.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._command = command
        self._env = env
        self._requests: socket.socket | None = None
        self._starting = asyncio.Lock()
        self.pid: int | None = None

    async def launch(self, folder: RunFolder, spec: ShimSpec) -> tuple[LaunchReport, Line] | None:
        """Start the shim of an attempt; return its answer and the line to it, or None if that cannot be had here."""
        for _ in range(TRIES):
            line = await self._ask(folder, spec)
            if line is None:
                continue
            report = await line.report()
            if report.event or folder.started():
                return report, line
            line.close()
            self.close()
        return None

    def close(self) -> None:
        """Let the spawner's process end; shims go on."""
        if self._requests is not None:
            self._requests.close()
            self._requests = self.pid = None

    async def _ask(self, folder: RunFolder, spec: ShimSpec) -> Line | None:
        """Send a request; None where nothing can fork, and when the spawner is gone, which is replaced then."""
        if sys.platform == "win32":
            return None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                socket.send_fds(await self._line_to_process(), [REQUEST], [theirs.fileno()])
            await asyncio.get_running_loop().sock_sendall(ours, spec.to_json(folder=str(folder.path)))
            ours.shutdown(socket.SHUT_WR)
        except (OSError, TimeoutError):
            ours.close()
            self.close()
            return None
        return Line(ours)

    async def _line_to_process(self) -> socket.socket:
        async with self._starting:
            if self._requests is None:
                self._requests, self.pid = await self._start()
            return self._requests

    async def _start(self) -> tuple[socket.socket, int]:
        """Start the process; return the line to it and its pid. Raises OSError when it does not come up."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                await asyncio.to_thread(self._start_process, theirs.fileno())
            loop = asyncio.get_running_loop()
            hello = await asyncio.wait_for(loop.sock_recv(ours, _ANSWER_BYTES), ANSWER_SECONDS)
            if not hello:
                raise ConnectionResetError("the spawner ended while it started")
        except (OSError, TimeoutError):
            ours.close()
            raise
        return ours, int(hello)

    def _start_process(self, line: int) -> None:
        started = process.popen_detached(
            self._command,
            env=self._env,
            cwd=str(Path.cwd()),
            stdin=line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process.leave(started)
