"""One control group of Linux, version 2: limits that the kernel holds by itself, and an end that nothing escapes.

A group's files are made by the kernel with its folder; nothing here creates one. What a kernel or a container does
not offer is told by a False or a None, and the caller holds the limit in another way.
"""

from __future__ import annotations

import os

#: Where a group is told to take a process in; "0" stands for the one that writes.
PROCESSES = "cgroup.procs"

_NO_LIMIT = "max"


class ControlGroup:
    """The group of one run, by its folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> bool:
        """Make the group; return whether processes can enter it."""
        try:
            os.mkdir(self.path, 0o755)
        except FileExistsError:
            pass
        except OSError:
            return False
        return os.access(os.path.join(self.path, PROCESSES), os.W_OK)

    def enter(self) -> None:
        """Take the calling process in, and with it all that comes of it. Raises OSError."""
        descriptor = os.open(os.path.join(self.path, PROCESSES), os.O_WRONLY)
        try:
            os.write(descriptor, b"0")
        finally:
            os.close(descriptor)

    def limit_memory(self, limit_bytes: int) -> bool:
        """Hold the memory of all processes together, swap included; passing it ends all of them, not just one."""
        if not self._write("memory.max", str(limit_bytes or _NO_LIMIT)):
            return False
        self._write("memory.swap.max", "0" if limit_bytes else _NO_LIMIT)
        self._write("memory.oom.group", "1")
        return True

    def limit_processes(self, limit: int) -> bool:
        """Hold the number of processes, threads counted as such; what goes beyond it cannot fork."""
        return self._write("pids.max", str(limit or _NO_LIMIT))

    def weigh_cpu(self, weight: int) -> bool:
        """Set the share of a busy CPU, beside other groups; 100 is what groups have by default."""
        return self._write("cpu.weight", str(min(10_000, max(1, weight))))

    def kill(self) -> bool:
        """Kill all processes at once, also while they fork; False on kernels before 5.14."""
        return self._write("cgroup.kill", "1")

    def freeze(self, is_frozen: bool) -> bool:
        """Hold all processes still, those too that come to be meanwhile, or let them go on."""
        return self._write("cgroup.freeze", "1" if is_frozen else "0")

    def is_populated(self) -> bool:
        """Whether any process lives in the group or below."""
        return self._count("cgroup.events", "populated") == 1

    def peak_bytes(self) -> int | None:
        """Return the most that the group ever held, files the kernel kept for it included; None if not counted."""
        text = self._read("memory.peak").strip()
        return int(text) if text.isdecimal() else None

    def kills(self) -> int | None:
        """Return how many processes the kernel killed here for want of memory; None where it is not counted."""
        return self._count("memory.events", "oom_kill")

    def has_passed_its_limit(self) -> bool:
        """Whether it was this group's own limit that made the kernel kill: elsewhere counts no "oom" here."""
        return bool(self._count("memory.events", "oom")) and bool(self.kills())

    def remove(self) -> bool:
        """Remove the group and what the module made below it; False while something lives in there."""
        try:
            for folder, below, _ in os.walk(self.path, topdown=False):
                for name in below:
                    os.rmdir(os.path.join(folder, name))
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _count(self, name: str, key: str) -> int | None:
        for line in self._read(name).splitlines():
            word, _, number = line.partition(" ")
            if word == key and number.isdecimal():
                return int(number)
        return None

    def _read(self, name: str) -> str:
        try:
            descriptor = os.open(os.path.join(self.path, name), os.O_RDONLY)
        except OSError:
            return ""
        try:
            return os.read(descriptor, 4096).decode()
        except OSError:
            return ""
        finally:
            os.close(descriptor)

    def _write(self, name: str, value: str) -> bool:
        """Write to a file that the kernel made; where it made none, it does not have the thing."""
        try:
            descriptor = os.open(os.path.join(self.path, name), os.O_WRONLY | os.O_TRUNC)
        except OSError:
            return False
        try:
            os.write(descriptor, value.encode())
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True
