"""What must hold after any fault, seen from outside: by the noted starts, the store, the run folders, the system.

A module of these tests notes each of its starts in one file that all append to, so a second start cannot hide.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from runyard_actors.attempt_file import COOKIE
from runyard_actors.run_folder import RunFolder
from tests.support import processes_with, python

#: A run's processes are gone this long after its end, at the latest.
GONE_SECONDS = 10.0
ENDED = {"completed", "failed", "cancelled"}

_NOTE = """
import os, sys, time
line = f"{os.environ['RUNYARD_RUN_ID']} {os.environ['RUNYARD_ATTEMPT']} {os.getpid()}\\n"
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(file, line.encode())
os.close(file)
"""
_WAIT = "while not os.path.exists(sys.argv[2]): time.sleep(0.02)\n"

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where modules note their starts, and the file for which some of them wait."""

    folder: Path

    @property
    def starts(self) -> Path:
        """One line for each start: run id, attempt, pid."""
        return self.folder / "starts"

    @property
    def gate(self) -> Path:
        """Those that wait go on once it is there."""
        return self.folder / "gate"

    def command(self, then: str = "sys.exit(0)", *, waits: bool = False) -> list[str]:
        """Return a command that notes its start, waits if it should, and goes on with `then`."""
        return python(_NOTE + (_WAIT if waits else "") + then, str(self.starts), str(self.gate))

    def noted(self) -> Counter[tuple[str, int]]:
        """Return how often each attempt started."""
        if not self.starts.exists():
            return Counter()
        lines = (line.split() for line in self.starts.read_text().splitlines())
        return Counter((run_id, int(attempt)) for run_id, attempt, _ in lines)


@dataclass(slots=True)
class Verdict:
    """What was found wrong, by kind; nothing of it may be there."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether all holds."""
        return not (self.lost or self.twice or self.left or self.wrong)


#: Whoever wants to hear of each verdict: the store that it is about, and how many runs that has.
on_verdict: list[Callable[[Path, int, Verdict], None]] = []


def judge(ground: Ground, database: Path, runs: Path, answered: Iterable[str], slots: int) -> Verdict:
    """Look at everything once all runs have ended; `answered` are the ids that a caller was given."""
    verdict = Verdict()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        stored = {r["run_id"]: r for r in connection.execute("SELECT * FROM runs")}
        attempts = connection.execute("SELECT * FROM attempts").fetchall()
        ends = Counter(
            r["run_id"] for r in connection.execute("SELECT run_id FROM events WHERE kind = 'run_ended'")
        )
    verdict.lost = [f"{r} was answered and is not there" for r in answered if r not in stored]
    verdict.twice = [f"{r} attempt {a} started {n} times" for (r, a), n in ground.noted().items() if n > 1]
    verdict.wrong = [
        *_wrong_runs(stored, ends),
        *_wrong_attempts(ground, attempts, runs),
        *_beyond(attempts, slots),
    ]
    verdict.left = left_of(str(a["nonce"]) for a in attempts)
    for tell in on_verdict:
        tell(database, len(stored), verdict)
    return verdict


def _wrong_runs(stored: Mapping[str, sqlite3.Row], ends: Counter[str]) -> Iterable[str]:
    for run_id, run in stored.items():
        if run["status"] not in ENDED:
            yield f"{run_id} is {run['status']}"
        if ends[run_id] != 1:
            yield f"{run_id} was told to have ended {ends[run_id]} times"


def _wrong_attempts(ground: Ground, attempts: Iterable[sqlite3.Row], runs: Path) -> Iterable[str]:
    known = set()
    for attempt in attempts:
        place = (attempt["run_id"], attempt["attempt"])
        known.add(place)
        if attempt["ended_at"] is None:
            yield f"{place} has no end"
        folder = RunFolder.of(runs, *place)
        record = folder.exit()
        if record and (record.get("exit_code"), record.get("signal")) != (
            attempt["exit_code"],
            attempt["signal"],
        ):
            yield f"{place} ended otherwise in its folder: {record}"
        if (
            attempt["exit_code"] is not None
            and attempt["reason"] != "start_error"
            and not ground.noted()[place]
        ):
            yield f"{place} has an exit code and never started"
        if folder.is_alive():
            yield f"{place} still has a shim"
    for place in set(ground.noted()) - known:
        yield f"{place} started, and the store knows nothing of it"
    for path in runs.glob("*/*/*"):
        if (path.parent.name, int(path.name)) not in known:
            yield f"{path} belongs to no attempt"


def _beyond(attempts: Iterable[sqlite3.Row], slots: int) -> Iterable[str]:
    """More attempts at once than slots, from each start decision to the end of its process."""
    moments = [(a["claimed_at"], 1) for a in attempts]
    moments += [(max(a["ended_at"], a["claimed_at"]), -1) for a in attempts if a["ended_at"] is not None]
    at_once = most = 0
    for _, step in sorted(moments):
        at_once += step
        most = max(most, at_once)
    if most > slots:
        yield f"{most} attempts were active at once, with {slots} slots"


def left_of(nonces: Iterable[str]) -> list[str]:
    """Return what lives of any attempt, once it had its time to die."""
    wanted, end = set(nonces), time.monotonic() + GONE_SECONDS
    while True:
        found = [p for n in _cookies(wanted) for p in processes_with({COOKIE: n})]
        if not found or time.monotonic() > end:
            return [f"process {p.pid} is left: {p}" for p in found]
        time.sleep(0.1)


def _cookies(wanted: set[str]) -> set[str]:
    """Return those of the cookies that any living process carries, from one look at all processes."""
    import psutil

    found = set()
    for process in psutil.process_iter():
        try:
            found.add(process.environ().get(COOKIE, ""))
        except (psutil.Error, OSError):
            continue
    return found & wanted
