"""Launching a shim from a process that may have threads and may die at any moment: a Ray worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import runyard_actors
import runyard_cluster
from runyard_actors.run_folder import RunFolder

#: Only these two packages are needed, and neither imports anything but the standard library on the shim's way.
IMPORT_ROOTS = tuple(
    dict.fromkeys(
        str(Path(str(package.__file__)).parents[1]) for package in (runyard_actors, runyard_cluster)
    )
)
#: What a shim needs of its parent's environment; the module gets its own from the spec.
INHERITED = ("LANG", "LC_ALL", "PATH", "RUNYARD_FAIL", "SYSTEMROOT", "TEMP", "TMPDIR", "TZ")
BOOT = "import sys; sys.path += sys.argv[2:]; from runyard_actors.shim.main import main; main(sys.argv[1])"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchReport:
    """What the shim answered: `started`, `refused` (another one was first) or `start_error`; empty if it died."""

    event: str = ""
    pid: int | None = None
    shim_pid: int | None = None
    started_at: int | None = None
    why: str | None = None


def launch(folder: RunFolder) -> LaunchReport:
    """Start the shim of an attempt whose spec lies in `folder`, and return its answer.

    The shim leaves this process's tree at once, so what befalls this process does not befall it.
    """
    command = [sys.executable, "-I", "-S", "-c", BOOT, str(folder.path), *IMPORT_ROOTS]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=folder.path,
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
    )
    with process:
        assert process.stdout is not None
        answer = process.stdout.readline()
    return LaunchReport(**json.loads(answer)) if answer else LaunchReport()
