"""Launching a shim from a process that may have threads and may die at any moment: a Ray worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import runyard_actors
import runyard_cluster
from runyard_actors.run_folder import RunFolder
from runyard_cluster import process

#: Where the two packages lie that a shim needs.
IMPORT_ROOTS = tuple(
    dict.fromkeys(
        str(Path(str(package.__file__)).parents[1]) for package in (runyard_actors, runyard_cluster)
    )
)
#: What a shim needs of its parent's environment; the module gets its own from the spec.
INHERITED = (
    "LANG", "LC_ALL", "LC_CTYPE", "PATH", "RUNYARD_FAIL", "SYSTEMROOT", "TEMP", "TMPDIR", "TZ",
)  # fmt: skip
BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from runyard_actors.shim.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchReport:
    """What the shim answered: `started`, `refused` (another one was first) or `start_error`; empty if it died.

    `why` says, for a refusal, "locked" or "claimed"; for a start error, what is wrong, in words.
    """

    event: str = ""
    pid: int | None = None
    shim_pid: int | None = None
    started_at: int | None = None
    enforcement: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a shim, or who becomes one, gets of this process's environment."""
    return {name: environ[name] for name in INHERITED if name in environ}


def launch(folder: RunFolder) -> LaunchReport:
    """Start the shim of an attempt whose spec lies in `folder`, and return its answer.

    The shim leaves this process's tree at once, so what befalls this process does not befall it.
    """
    read_end, write_end = os.pipe()
    try:
        started = process.popen_detached(
            [sys.executable, "-I", "-S", "-c", BOOT, *IMPORT_ROOTS],
            env=inherited(os.environ),
            cwd=str(folder),
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as answers:
        answer = answers.readline()
    process.leave(started)
    return LaunchReport(**json.loads(answer)) if answer else LaunchReport()
