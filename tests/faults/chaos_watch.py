"""Looking from outside, once in a while: what runs, whether that is too much, and what outlived its run."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from runyard_cluster.process import process_start_time

LOOK_SECONDS = 0.3
#: What is left of a run may take so long to die after its end was written.
LEFT_SECONDS = 10.0
#: Environments of all processes are read every so many looks.
SWEEPS = 8
COOKIE = b"RUNYARD_NONCE="


@dataclass(slots=True)
class Seen:
    """A module's process, and since when it is another one if its number comes again."""

    key: tuple[str, int]
    pid: int
    cpu_milli: int
    start: float | None


@dataclass(slots=True)
class Watcher:
    """Looks until it is told to stop. `slots` and `cpu_milli` are the limits that must hold at every moment."""

    folder: Path
    database: Path
    slots: int
    cpu_milli: int
    most_runs: int = 0
    most_cpu: int = 0
    looks: int = 0
    too_much: list[str] = field(default_factory=list)
    left_behind: dict[tuple[str, int], str] = field(default_factory=dict)
    _living: dict[int, Seen] = field(default_factory=dict)
    _read: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on."""
        self._thread = threading.Thread(target=self._work, name="watcher")
        self._thread.start()

    def stop(self) -> None:
        """Look no more; one last time for what was left behind."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join()
        self.look_for_leftovers()

    def starts(self) -> list[tuple[str, int, int, int]]:
        """Return what the modules noted: run, attempt, pid, thousandths of a CPU."""
        lines = _lines(self.folder / "starts")
        return [(run, int(attempt), int(pid), int(cpu)) for run, attempt, pid, cpu in lines]

    def look_for_leftovers(self) -> None:
        """Find processes whose attempt ended a while ago, by their cookie, and daemons by what they noted."""
        ended = self._ended_attempts()
        by_nonce = {nonce: key for key, (nonce, _) in ended.items()}
        late = time.time() - LEFT_SECONDS
        for pid, nonce in _cookies():
            key = by_nonce.get(nonce)
            if key and ended[key][1] < late:
                self.left_behind[key] = f"process {pid} carries its cookie"
        for run, attempt, pid, start in _lines(self.folder / "starts.daemons"):
            key = run, int(attempt)
            if key in ended and ended[key][1] < late and process_start_time(int(pid)) == float(start):
                self.left_behind[key] = f"its daemon {pid} goes on"

    def _work(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()
            self.looks += 1
            if self.looks % SWEEPS == 0:
                self.look_for_leftovers()

    def _look(self) -> None:
        starts = self.starts()
        for run, attempt, pid, cpu in starts[self._read :]:
            self._living[pid] = Seen((run, attempt), pid, cpu, process_start_time(pid))
        self._read = len(starts)
        for seen in list(self._living.values()):
            if seen.start is None or process_start_time(seen.pid) != seen.start:
                del self._living[seen.pid]
        runs, cpu = len(self._living), sum(s.cpu_milli for s in self._living.values())
        self.most_runs, self.most_cpu = max(runs, self.most_runs), max(cpu, self.most_cpu)
        if runs > self.slots or cpu > self.cpu_milli:
            self.too_much.append(
                f"{runs} runs, {cpu} thousandths of a CPU: {sorted(s.key for s in self._living.values())}"
            )

    def _ended_attempts(self) -> dict[tuple[str, int], tuple[str, float]]:
        try:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as store:
                rows = store.execute(
                    "SELECT run_id, attempt, nonce, ended_at FROM attempts WHERE ended_at IS NOT NULL"
                )
                return {(r, a): (n, at / 1e6) for r, a, n, at in rows}
        except sqlite3.OperationalError:
            return {}


def _lines(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []


def _cookies() -> list[tuple[int, str]]:
    """Return the living processes of modules, and the cookie of each."""
    found = [(int(name), _cookie(name)) for name in os.listdir("/proc") if name.isdigit()]
    return [(pid, nonce) for pid, nonce in found if nonce and process_start_time(pid) is not None]


def _cookie(pid: str) -> str:
    try:
        variables = Path("/proc", pid, "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((v.decode().partition("=")[2] for v in variables if v.startswith(COOKIE)), "")
