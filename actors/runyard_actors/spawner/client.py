"""Asking a spawner for shims."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import LaunchReport
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.spawner.main import REQUEST, SIZE_BYTES
from runyard_cluster import process

#: A spawner that dies under a request is replaced this often before a shim is started without one.
TRIES = 2
#: A spawner that does not come up in so long is taken for dead: it imports what modules want first.
START_SECONDS = 30.0
#: One that is up and does not answer for so long is taken for dead: a fork and a lock take milliseconds. If it is not
#: dead, a shim that comes second refuses.
ANSWER_SECONDS = 5.0
#: Shims that are kept for the next run, 1 to 2 MB each: so many at most, and so long.
MOST_IDLE, IDLE_SECONDS = 32, 10.0
_ANSWER_BYTES = 1 << 16

Json = dict[str, Any]


class Line:
    """The line to one shim, which owns one run after another; it closes with the shim's end.

    Its loop watches it from beginning to end: to begin and end that for each answer would cost more than the answers.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._received = b""
        self._is_over = False
        self._has_more: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._receive)

    async def send(self, folder: RunFolder, spec: ShimSpec) -> None:
        """Hand over what is to be run. Raises OSError when the shim is gone."""
        data = spec.to_json(folder=str(folder))
        message = len(data).to_bytes(SIZE_BYTES, "big") + data
        try:
            sent = self._end.send(message)
        except BlockingIOError:
            sent = 0
        if sent < len(message):
            # As good as never: the loop's own way to send takes twice as long for what has room at once.
            await self._loop.sock_sendall(self._end, message[sent:])

    async def report(self) -> LaunchReport:
        """Return the shim's answer to what was sent; an empty report when there was none, or none in time."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._next()
        except TimeoutError:
            return LaunchReport()
        return LaunchReport(**answer) if answer else LaunchReport()

    async def ended(self) -> Json | None:
        """Wait until the run has ended; return what its shim, there for another one, says of it. None if it is gone."""
        while answer := await self._next():
            if answer["event"] == "ended":
                return answer
        return None

    def close(self) -> None:
        """Have done with the line; the shim sees its run through."""
        self._stop_watching()
        self._end.close()

    async def _next(self) -> Json | None:
        while b"\n" not in self._received:
            if self._is_over:
                return None
            self._has_more = self._loop.create_future()
            await self._has_more
        text, _, self._received = self._received.partition(b"\n")
        answer: Json = json.loads(text)
        return answer

    def _receive(self) -> None:
        try:
            data = self._end.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self._received += data
        if not data:
            self._stop_watching()
        if self._has_more is not None and not self._has_more.done():
            self._has_more.set_result(None)

    def _stop_watching(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._loop.remove_reader(self._end.fileno())


class Spawner:
    """Starts shims from one event loop. Its process is started with the first one, and again whenever it is gone.

    `command` starts that process and `env` is its environment: a plain one, or one that is warm for some modules.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._command = command
        self._env = env
        self._requests: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._idle: dict[Line, asyncio.TimerHandle] = {}
        self.pid: int | None = None

    async def launch(self, folder: RunFolder, spec: ShimSpec) -> tuple[LaunchReport, Line] | None:
        """Start an attempt; return the shim's answer and the line to it, or None if that cannot be had here."""
        if self._idle:
            line, timer = self._idle.popitem()
            timer.cancel()
            # A shim may have ended while it waited; that says nothing of its spawner.
            if report := await _answered(line, folder, spec):
                return report, line
        for _ in range(TRIES):
            new = await self._ask()
            if new is None:
                continue
            if report := await _answered(new, folder, spec):
                return report, new
            self.close()
        return None

    def take_back(self, line: Line) -> None:
        """Keep a shim whose run has ended for the next one, for a while."""
        if len(self._idle) >= MOST_IDLE or self._requests is None:
            line.close()
            return
        self._idle[line] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._let_go, line)

    def close(self) -> None:
        """Let the spawner's process and all idle shims end; others see their runs through."""
        while self._idle:
            line, timer = self._idle.popitem()
            timer.cancel()
            line.close()
        if self._requests is not None:
            self._requests.close()
            self._requests = self.pid = None

    def _let_go(self, line: Line) -> None:
        del self._idle[line]
        line.close()

    async def _ask(self) -> Line | None:
        """Have a shim made; None where nothing can fork, and when the spawner is gone, which is replaced then."""
        if sys.platform == "win32":
            return None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                socket.send_fds(await self._line_to_process(), [REQUEST], [theirs.fileno()])
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
            async with asyncio.timeout(START_SECONDS):
                hello = await loop.sock_recv(ours, _ANSWER_BYTES)
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


async def _answered(line: Line, folder: RunFolder, spec: ShimSpec) -> LaunchReport | None:
    """Hand an attempt over a line and return the shim's answer; None, with the line closed, if nothing came of it.

    An answer may be lost with an attempt that has started: then its folder tells, and the report is empty.
    """
    with suppress(OSError):
        await line.send(folder, spec)
    report = await line.report()
    if report.event or (await asyncio.to_thread(folder.started)) is not None:
        return report
    line.close()
    return None
