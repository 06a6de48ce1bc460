"""What runs while things are killed: mixed runs, each of which notes its own start, and how each has to end."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import python

#: One line for each start, written at once: run, attempt, pid, thousandths of a CPU.
NOTE = """
import os, sys, time
def note(path, *words):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    who = os.environ['RUNYARD_RUN_ID'], os.environ['RUNYARD_ATTEMPT'], os.getpid()
    os.write(file, (' '.join(map(str, (*who, *words))) + '\\n').encode())
    os.close(file)
note(sys.argv[1], sys.argv[2])
attempt = int(os.environ['RUNYARD_ATTEMPT'])
"""
#: A child of nobody, in a session of its own, that would go on for minutes.
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        # Its start beside its number, which is another process's soon on a machine that starts many.
        note(sys.argv[1] + '.daemons', open('/proc/self/stat').read().rpartition(')')[2].split()[19])
        time.sleep(300)
    os._exit(0)
"""
FORKS = """
children = []
for n in range(3):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.2 * n)
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""

COMPLETED = ("completed", None)
LOST = ("failed", "supervisor_lost")
SKIPPED = ("cancelled", "dependency_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of run: its program, what it declares, and how it has to end when nobody kills its supervisor."""

    name: str
    then: str
    ends: frozenset[tuple[str, str | None]] = frozenset({COMPLETED})
    weight: int = 2
    cpu: float = 0.1
    is_warm: bool = False
    is_cancelled: bool = False
    more: dict[str, Any] = field(default_factory=dict)


KINDS = (
    Kind(name="short", then="time.sleep(0.05)", weight=6),
    Kind(name="long", then="time.sleep(6)", cpu=0.5, weight=3),
    Kind(name="very long", then="time.sleep(25); sys.exit(7)", ends=frozenset({("failed", "exit_code")})),
    Kind(name="forking", then=FORKS),
    Kind(name="daemon", then=DAEMON + "time.sleep(0.3)"),
    Kind(name="long daemon", then=DAEMON + "time.sleep(4)"),
    Kind(name="failing", then="sys.exit(3)", ends=frozenset({("failed", "exit_code")})),
    Kind(
        name="retrying", then="time.sleep(0.2); sys.exit(5 if attempt == 1 else 0)", more={"max_retries": 2}
    ),
    Kind(
        name="over its time",
        then="time.sleep(60)",
        ends=frozenset({("failed", "timeout")}),
        weight=1,
        more={"timeout": "2s"},
    ),
    Kind(
        name="cancelled",
        then="time.sleep(60)",
        ends=frozenset({("cancelled", "cancelled_by_user")}),
        weight=1,
        is_cancelled=True,
    ),
    Kind(name="warm", then="time.sleep(0.05)", weight=4, is_warm=True),
    Kind(name="warm daemon", then=DAEMON + "time.sleep(3)", is_warm=True),
)
WHOLE = 1000
GROUP = 5


@dataclass(slots=True, kw_only=True)
class Planned:
    """A run that is to be submitted, and the index in its batch of the run that it waits for."""

    kind: Kind
    after: int | None = None
    run_id: str = ""

    def body(self, folder: Path) -> dict[str, Any]:
        """Return it as REST takes it."""
        starts = str(folder / "starts")
        amount = str(int(self.kind.cpu * WHOLE))
        run: dict[str, Any] = {"module_id": self.kind.name, "num_cpus": self.kind.cpu, "memory": "32MiB"}
        if self.kind.is_warm:
            script = folder / f"{self.kind.name}.py".replace(" ", "_")
            run |= {
                "command": [sys.executable, str(script), starts, amount],
                "warm": True,
                "preload": ["json"],
            }
        else:
            run["command"] = python(NOTE + self.kind.then, starts, amount)
        return run | self.kind.more | ({} if self.after is None else {"after": [self.after]})


def write_scripts(folder: Path) -> None:
    """Write the programs of those kinds that start warm."""
    for kind in KINDS:
        if kind.is_warm:
            (folder / f"{kind.name}.py".replace(" ", "_")).write_text(NOTE + kind.then)


def batches(runs: int, chance: random.Random) -> Iterator[list[Planned]]:
    """Plan that many runs, in batches of a few; every fifth or so waits for one before it."""
    left = runs
    while left:
        size = min(left, chance.randint(1, GROUP))
        left -= size
        yield [_planned(index, chance) for index in range(size)]


def _planned(index: int, chance: random.Random) -> Planned:
    kind = chance.choices(KINDS, [k.weight for k in KINDS])[0]
    waits = index > 0 and chance.random() < 0.25 and not kind.is_cancelled
    return Planned(kind=kind, after=chance.randrange(index) if waits else None)


def right_ends(
    planned: Planned, batch: Sequence[Planned], status: dict[str, str], is_touched: bool
) -> frozenset[tuple[str, str | None]]:
    """Return how a run may have ended, given how the one it waits for did, and whether its supervisor was killed."""
    if planned.after is not None and status.get(batch[planned.after].run_id) != "completed":
        return frozenset({SKIPPED})
    return planned.kind.ends | ({LOST} if is_touched else frozenset())
