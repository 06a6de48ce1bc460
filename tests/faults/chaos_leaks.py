"""What our processes still hold when nothing runs any more: descriptors, zombies, supervisors."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import psutil

from runyard_cluster.data_dir import DataDir
from tests.faults.chaos_victims import victims
from tests.faults.chaos_yard import ChaosYard

#: Sockets of a manager that has nothing to do, Ray's own included, and of a server; those of runs come on top.
MOST_SOCKETS = 60
#: A spawner holds its standard streams and the line to the manager.
SPAWNER_DESCRIPTORS = 6


def leaks(yard: ChaosYard) -> list[str]:
    """Return in words what is held that belongs to runs, all of which have ended."""
    found = []
    data_dir = yard.data_dir
    ours = victims(data_dir, str(yard.temp), yard.service.pid())
    for victim in ours:
        if victim.fault == "shim":
            found.append(f"a shim of {victim.run} is still there")
        if victim.fault in ("server", "manager", "spawner"):
            found += _descriptor_leaks(victim.fault, victim.process.pid, data_dir)
    pids = {victim.process.pid for victim in ours}
    for process in psutil.process_iter(["pid", "ppid", "status", "name"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE and process.info["ppid"] in pids:
            found.append(f"{process.info['name']} ({process.pid}) is a zombie of {process.info['ppid']}")
    return found


def _descriptor_leaks(who: str, pid: int, data_dir: DataDir) -> list[str]:
    targets = descriptors(pid)
    kinds = Counter(target.partition(":")[0] for target in targets)
    in_runs = [t for t in targets if t.startswith(str(data_dir.runs))]
    found = [f"{who} has {path} open" for path in in_runs]
    if kinds["socket"] > MOST_SOCKETS:
        found.append(f"{who} has {kinds['socket']} sockets open")
    if who == "spawner" and len(targets) > SPAWNER_DESCRIPTORS:
        found.append(f"a spawner has {targets} open")
    return found


def descriptors(pid: int) -> list[str]:
    """Return what a process has open."""
    folder = Path("/proc", str(pid), "fd")
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(folder / name))
        except OSError:
            continue
    return found
