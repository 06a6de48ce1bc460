"""Whose memory it is: the proportional set size of every process of ours and of our Ray, by what it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from runyard_cluster.data_dir import DataDir
from tests.faults.chaos_victims import has_mark, is_idle, worker_kind

#: All that a sample may show, in the order of the table.
OURS = ("server", "manager", "spawner", "shim", "idle shim")
KINDS = (*OURS, "lease worker", "idle worker", "Ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look: when, how many runs were active, and bytes and processes by kind."""

    at: float
    active: int
    bytes: Counter[str]
    processes: Counter[str]

    @property
    def ours(self) -> int:
        """What is there because runyard is: all but Ray's own servers and its workers."""
        return sum(n for kind, n in self.bytes.items() if kind in OURS)


def sample(at: float, active: int, data_dir: DataDir, server: int) -> Sample:
    """Look at all processes once."""
    amounts: Counter[str] = Counter()
    processes: Counter[str] = Counter()
    for kind, pid in owned(data_dir, server):
        if pss := pss_bytes(pid):
            amounts[kind] += pss
            processes[kind] += 1
    return Sample(at=at, active=active, bytes=amounts, processes=processes)


def owned(data_dir: DataDir, server: int) -> list[tuple[str, int]]:
    """Return each process of ours and of our Ray: what it is, and its number.

    Spawners and shims are known by the TMPDIR that they were started with, which is that of the server.
    """
    mark = psutil.Process(server).environ()["TMPDIR"]
    table = list(psutil.process_iter(["pid", "ppid", "name", "cmdline"]))
    ray = str(data_dir.ray_temp)
    ours = {p.pid for p in table if any(ray in part for part in p.info["cmdline"] or ())} | {server}
    raylets = {p.pid for p in table if p.info["name"] == "raylet" and p.pid in ours}
    found = []
    for process in table:
        name, pid = process.info["name"], process.pid
        if pid == server:
            found.append(("server", pid))
        elif name == "runyard-spawner" and has_mark(process, mark):
            found.append(("spawner", pid))
        elif name == "runyard-shim" and has_mark(process, mark):
            found.append(("idle shim" if is_idle(process) else "shim", pid))
        elif process.info["ppid"] in raylets:
            kind = worker_kind(" ".join(process.info["cmdline"] or ()))
            found.append(("Ray" if kind == "Ray's agent" else kind, pid))
        elif pid in ours:
            found.append(("Ray", pid))
    return found


def pss_bytes(pid: int) -> int:
    """Return what a process holds, shared pages divided among those who share them; 0 for one that is gone."""
    try:
        lines = Path("/proc", str(pid), "smaps_rollup").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)
