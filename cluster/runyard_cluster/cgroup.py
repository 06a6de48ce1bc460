"""Limits that the system set on this process and all beside it: a container's, or those of a systemd slice.

Both versions of Linux control groups; on other systems there is nothing to read, so there is no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The groups this process is in, each within the one above: the tightest limit of them all is the one that holds.

    `root` is where the system's files begin.
    """

    root: Path = Path("/")

    def cpu_limit_milli(self) -> int | None:
        """Return the thousandths of CPUs that may be used, or None where nothing limits them."""
        return min((limit for folder in self._folders("cpu") if (limit := _cpu_quota(folder))), default=None)

    def memory_limit(self) -> int | None:
        """Return the bytes of memory that may be used, or None where nothing limits them."""
        found = (_memory_limit(folder) for folder in self._folders("memory"))
        return min((limit for limit in found if limit is not None), default=None)

    def memory_free(self) -> int | None:
        """Return the bytes that may still be used; what the kernel would give up for them counts as free."""
        return min((free for free, _ in self.memory_free_of_limits()), default=None)

    def memory_free_of_limits(self) -> list[tuple[int, int]]:
        """Return for each group with a limit the bytes that may still be used, and the limit."""
        found = (_memory_free(folder) for folder in self._folders("memory"))
        return [pair for pair in found if pair is not None]

    def _folders(self, controller: str) -> Iterator[Path]:
        for line in _read(self.root / "proc/self/cgroup").splitlines():
            _, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if names == "":
                yield from _upwards(self.root / "sys/fs/cgroup", path)
            elif controller in names.split(","):
                yield from _upwards(self.root / "sys/fs/cgroup" / controller, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Yield a group's folder and all above; inside a container only some of them may be there to be seen."""
    group = PurePosixPath(path)
    if ".." not in group.parts:
        yield from (mount / str(each).lstrip("/") for each in (group, *group.parents))
    else:
        yield mount


def _cpu_quota(folder: Path) -> int | None:
    words = _read(folder / "cpu.max").split()
    if len(words) == 2:
        quota, period = _whole(words[0]), _whole(words[1])
    else:
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return max(1, quota * 1000 // period) if quota and period else None


def _memory_limit(folder: Path) -> int | None:
    limit = _number(folder / "memory.max")
    return _number(folder / "memory.limit_in_bytes") if limit is None else limit


def _memory_free(folder: Path) -> tuple[int, int] | None:
    limit = _memory_limit(folder)
    used = _number(folder / "memory.current")
    if used is None:
        used = _number(folder / "memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    return max(0, limit - max(0, used - _file_cache(folder))), limit


def _file_cache(folder: Path) -> int:
    lines = (line.partition(" ") for line in _read(folder / "memory.stat").splitlines())
    figures = {name: _whole(value) for name, _, value in lines}
    # The older version counts groups below in the "total" only.
    return figures.get("total_inactive_file") or figures.get("inactive_file") or 0


def _number(path: Path) -> int | None:
    return _whole(_read(path).strip())


def _whole(text: str) -> int | None:
    """Return a number, or None for "max" and -1, which mean that there is no limit."""
    return int(text) if text.isdecimal() else None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""
