"""Finding what can be killed: every process of ours and of our Ray, by what it is; never a module's.

The agent of the manager's node is a thread of the manager, so who kills that one kills both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from runyard_actors.run_folder import RunFolder
from runyard_cluster.data_dir import DataDir
from tests.support import wait_until

#: What people kill, or what dies, and how often it is picked. Ray's servers take everything of Ray with them.
FAULTS = {
    "server": 2,
    "manager": 6,
    "lease worker": 8,
    "idle worker": 2,
    "Ray's agent": 1,
    "spawner": 8,
    "shim": 12,
    "idle shim": 2,
    "raylet": 2,
    "GCS": 2,
}
#: States of a process that does nothing more, and how soon it is in one of them.
_HELD = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
HOLD_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that may be killed; a shim's has its run and attempt."""

    fault: str
    process: psutil.Process
    run: tuple[str, int] | None = None


def victims(data_dir: DataDir, mark: str, server: int | None) -> list[Victim]:
    """Return all that may be killed now.

    `server` is its process; `mark` is in the environment of our spawners and shims, as TMPDIR.
    """
    found = []
    raylets = set()
    table = list(psutil.process_iter(["pid", "ppid", "name", "cmdline"]))
    temp = str(data_dir.ray_temp)
    for process in table:
        line = " ".join(process.info["cmdline"] or ())
        name = process.info["name"]
        if name == "raylet" and temp in line:
            raylets.add(process.pid)
            found.append(Victim("raylet", process))
        elif name == "gcs_server" and temp in line:
            found.append(Victim("GCS", process))
        elif process.pid == server:
            found.append(Victim("server", process))
        elif name == "runyard-spawner" and has_mark(process, mark):
            found.append(Victim("spawner", process))
        elif name == "runyard-shim" and (run := run_of_shim(process, data_dir)):
            found.append(Victim("shim", process, run))
        elif name == "runyard-shim" and has_mark(process, mark) and is_idle(process):
            found.append(Victim("idle shim", process))
    workers = (process for process in table if process.info["ppid"] in raylets)
    return found + [Victim(worker_kind(" ".join(w.info["cmdline"] or ())), w) for w in workers]


def kill(victim: Victim, data_dir: DataDir) -> tuple[str, int] | None:
    """Kill a victim; return the run and attempt that lost its supervisor. Raises NoSuchProcess if it is gone.

    A shim owns one run after another, so it is held still to see whose it is at the moment of its death.
    """
    run = None
    if victim.fault in ("shim", "idle shim"):
        victim.process.suspend()
        wait_until(lambda: victim.process.status() in _HELD, HOLD_SECONDS, "a shim held still")
        run = run_of_shim(victim.process, data_dir)
    victim.process.kill()
    return run


def worker_kind(line: str) -> str:
    """Say what a child of the raylet is by its title."""
    if "RunManager" in line:
        return "manager"
    if "ray::IDLE" in line:
        return "idle worker"
    return "lease worker" if line.startswith("ray::") else "Ray's agent"


def has_mark(process: psutil.Process, mark: str) -> bool:
    """Whether a process was started by our server."""
    try:
        return process.environ().get("TMPDIR") == mark
    except (psutil.Error, OSError):
        return False


def is_idle(process: psutil.Process) -> bool:
    """Whether a shim waits for its next run; one that is about to become a module is in that one's folder."""
    try:
        return process.cwd() == "/"
    except (psutil.Error, OSError):
        return False


def run_of_shim(process: psutil.Process, data_dir: DataDir) -> tuple[str, int] | None:
    """Return whose shim it is: only the one that claimed the attempt is, not the module that it is about to become."""
    try:
        folder = Path(process.cwd())
        claim = RunFolder(folder).started() or {}
    except (psutil.Error, OSError):
        return None
    if not folder.is_relative_to(data_dir.runs.resolve()) or claim.get("shim_pid") != process.pid:
        return None
    return folder.parent.name, int(folder.name)
