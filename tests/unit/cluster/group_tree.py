"""A folder with the files that the kernel would put into a control group."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "cgroup.procs": "",
    "cgroup.kill": "",
    "cgroup.freeze": "0\n",
    "cgroup.events": "populated 0\nfrozen 0\n",
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.oom.group": "0\n",
    "memory.peak": "104857600\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
    "pids.max": "max\n",
    "cpu.weight": "100\n",
}


def make_group(folder: Path, *, without: str = "\0", **texts: str) -> Path:
    """Make a group's folder; files of the controller `without` are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**FILES, **texts}.items():
        if not name.startswith(without):
            (folder / name).write_text(text)
    return folder
