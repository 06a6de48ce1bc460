"""A control group that tests make up: the files from which the machine's memory is read, in a folder of their own."""

from __future__ import annotations

from pathlib import Path

from runyard_cluster.cgroup import Cgroup


class FakeCgroup:
    """One group with a limit of memory, and what is used of it."""

    def __init__(self, root: Path, limit: int) -> None:
        self._folder = root / "sys/fs/cgroup"
        self._folder.mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text("0::/\n")
        (self._folder / "memory.max").write_text(f"{limit}\n")
        self._limit = limit
        self.root = root
        self.use(0)

    @property
    def cgroup(self) -> Cgroup:
        """What reads it."""
        return Cgroup(self.root)

    def use(self, percent: float) -> None:
        """Have that much of the limit in use from now on."""
        path = self._folder / "memory.current"
        path.with_suffix(".new").write_text(f"{int(self._limit * percent / 100)}\n")
        path.with_suffix(".new").replace(path)
