"""What tests share: waiting for conditions, looking at processes from outside, and modules to run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import psutil

T = TypeVar("T")


def wait_until(condition: Callable[[], T], limit: float, what: str = "the condition") -> T:
    """Return the condition's first true value; fail with its last value after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true in {limit} s; last: {value!r}"
        time.sleep(0.02)


def processes_with(variables: Mapping[str, str]) -> list[psutil.Process]:
    """Return living processes whose environment holds all of `variables`."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            if all(environ.get(k) == v for k, v in variables.items()) and process.status() != "zombie":
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def processes_marked(mark: str) -> list[psutil.Process]:
    """Return living processes that have `mark` in any variable of their environment, less this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and any(mark in value for value in process.environ().values())
                and process.status() != "zombie"
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def described(process: psutil.Process) -> str:
    """Return a process in words that help to find who left it."""
    try:
        test = process.environ().get("PYTEST_CURRENT_TEST", "?")
        return f"{process} of {test}, in {process.cwd()}: {' '.join(process.cmdline())[:300]}"
    except (psutil.Error, OSError):
        return f"{process}"


def name_of(process: psutil.Process) -> str:
    """Return a process's name; nothing of one that has ended since it was found."""
    try:
        return process.name()
    except (psutil.Error, OSError):
        return ""


def command_of(process: psutil.Process) -> str:
    """Return a process's command line; nothing of one that has ended since it was found."""
    try:
        return " ".join(process.cmdline())
    except (psutil.Error, OSError):
        return ""


def below(process: psutil.Process) -> list[psutil.Process]:
    """Return what a process started, and what that did; nothing of one that has ended since it was found."""
    try:
        return process.children(recursive=True)
    except (psutil.Error, OSError):
        return []


def processes_naming(text: str) -> list[psutil.Process]:
    """Return living processes with `text` in their command line, less this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and any(text in part for part in process.cmdline())
                and process.status() != "zombie"
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def the_one(processes: Sequence[psutil.Process]) -> psutil.Process:
    """Return the only one of `processes` that is no copy: until it execs, a forked child looks like its parent."""
    pids = {process.pid for process in processes}
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                found.append(process)
    assert len(found) == 1, processes
    return found[0]


def python(code: str, *args: str) -> list[str]:
    """Return a command that runs `code`, starting as fast as Python can."""
    return [sys.executable, "-I", "-S", "-c", code, *args]


def lines_of(folder: Path) -> Iterator[str]:
    """Yield the lines of all files in a folder."""
    for path in sorted(folder.iterdir()):
        yield from path.read_text().splitlines()


@contextmanager
def tracing(trace: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Within: `trace` is told of each call and each line of this thread, as `sys.settrace` has it."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
