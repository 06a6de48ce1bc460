"""All spawners of a node: the plain one, and warm ones for what modules want imported beforehand."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard_actors import attempt_record
from runyard_actors.module_environment import THREAD_COUNTS
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import IMPORT_ROOTS, LaunchReport, inherited, launch
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.spawner.client import Json, Line, Spawner
from runyard_actors.spawner.cookie import PLACE

PLAIN = "import sys; sys.path[:0] = sys.argv[1:]; from runyard_actors.spawner.main import serve; serve()"
#: The program is called from here, with nothing of ours above it but this.
WARM = """
import sys
count = int(sys.argv[1])
roots, preload = sys.argv[2:2 + count], sys.argv[2 + count:]
sys.path[:0] = roots
from runyard_actors.spawner.warm import main
program = main(roots, preload)
del count, roots, preload, main
program()
"""
#: Warm interpreters that are kept at most; the one that was not used for longest goes first.
MOST_WARM = 8
#: One that did not come up, for want of an import for one, is not tried again for so long.
BROKEN_SECONDS = 60.0
#: Variables of Python's that a started interpreter still heeds, or that change nothing of what a program does.
_HEEDED = frozenset({"PYTHONUNBUFFERED", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP"})

#: What is read once, when an interpreter starts or imports: how many threads there are to be, whether output is held
#: back, where to look for libraries. Only runs that have all of it in common are copies of one interpreter.
_READ_EARLY = (*THREAD_COUNTS, "PYTHONUNBUFFERED", "PYTHONPATH", "LD_LIBRARY_PATH")

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Launched:
    """The shim's answer, and the line to it with the spawner that it came from, where there is one."""

    report: LaunchReport
    line: Line | None = None
    spawner: Spawner | None = None

    async def ended(self) -> Json | None:
        """Wait for the run's end on the line, and keep the shim for the next one; return its exit record.

        None where the line does not tell, and the run's folder has to.
        """
        said = await self.line.ended() if self.line else None
        if said is None or self.line is None or self.spawner is None:
            self.close()
            return None
        self.spawner.take_back(self.line)
        return attempt_record.exit_record(said.get("exit") or {})

    def close(self) -> None:
        """Have done with the line; the shim sees its run through."""
        if self.line:
            self.line.close()


class Spawners:
    """Starts each shim in the best way there is for it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is what all runs of the node begin with, and warm interpreters, too."""
        self._environment = environment
        self._plain = Spawner([sys.executable, "-I", "-S", "-c", PLAIN, *IMPORT_ROOTS], inherited(os.environ))
        self._warm: OrderedDict[Key, Spawner] = OrderedDict()
        self._broken: dict[Key, float] = {}

    @property
    def pids(self) -> list[int]:
        """The processes that become shims."""
        return [s.pid for s in (self._plain, *self._warm.values()) if s.pid]

    async def launch(self, folder: RunFolder, spec: ShimSpec) -> Launched:
        """Start an attempt in the best way there is."""
        if spec.preload is not None:
            spawner = self._warm_for(spec)
            started = await spawner.launch(folder, spec) if spawner else None
            if spawner and started:
                return Launched(*started, spawner)
            if spawner:
                self._broken[warm_key(spec)] = time.monotonic() + BROKEN_SECONDS
            spec.preload = None
        started = await self._plain.launch(folder, spec)
        if started:
            return Launched(*started, self._plain)
        return Launched(await asyncio.to_thread(_launch_alone, folder, spec))

    def close(self) -> None:
        """Let all spawners end; shims go on."""
        for spawner in (self._plain, *self._warm.values()):
            spawner.close()

    def _warm_for(self, spec: ShimSpec) -> Spawner | None:
        """Return the spawner that is warm for this, or None when it has to start cold."""
        key = warm_key(spec)
        if sys.platform == "win32" or not can_be_warm(spec) or self._broken.get(key, 0.0) > time.monotonic():
            return None
        if key not in self._warm:
            self._warm[key] = Spawner(_warm_command(spec), self._environment_for(spec))
            while len(self._warm) > MOST_WARM:
                self._warm.popitem(last=False)[1].close()
        self._warm.move_to_end(key)
        return self._warm[key]

    def _environment_for(self, spec: ShimSpec) -> dict[str, str]:
        """What libraries read when they are imported, and Python when it starts, is as the run has it."""
        own = {name: spec.env[name] for name in _READ_EARLY if name in spec.env}
        return {**self._environment, **inherited(os.environ), **PLACE, **own}


def _launch_alone(folder: RunFolder, spec: ShimSpec) -> LaunchReport:
    folder.create()
    folder.write_spec(spec.to_json())
    return launch(folder)


def warm_key(spec: ShimSpec) -> Key:
    """Return what a run must have in common with others to be a copy of the same interpreter."""
    read = tuple(f"{name}={spec.env.get(name)}" for name in _READ_EARLY)
    return (spec.command[0], *read, *(spec.preload or ()))


def can_be_warm(spec: ShimSpec) -> bool:
    """Whether a started interpreter can run this as well as a new one: a script of Python, and no wishes for Python."""
    wishes = {name for name in spec.env if name.startswith("PYTHON")} - _HEEDED - set(THREAD_COUNTS)
    is_python = Path(spec.command[0]).name.startswith("python")
    return is_python and len(spec.command) > 1 and not spec.command[1].startswith("-") and not wishes


def _warm_command(spec: ShimSpec) -> Sequence[str]:
    return [spec.command[0], "-c", WARM, str(len(IMPORT_ROOTS)), *IMPORT_ROOTS, *(spec.preload or ())]
