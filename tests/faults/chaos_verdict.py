"""What must hold after all that was killed: found in the store, the run folders, and what the modules noted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard_actors.run_folder import RunFolder
from tests.faults.chaos_workload import LOST, Planned, right_ends

Key = tuple[str, int]


@dataclass(slots=True)
class Verdict:
    """What was broken, each in words, by the run it befell; empty when every promise was kept."""

    lost: dict[str, str] = field(default_factory=dict)
    twice: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    disagree: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """All of it."""
        groups = {"lost": self.lost, "twice": self.twice, "wrong": self.wrong, "disagree": self.disagree}
        return [f"{name}: {run}: {what}" for name, group in groups.items() for run, what in group.items()]


class History:
    """The store as it stands when all is over."""

    def __init__(self, database: Path) -> None:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as store:
            store.row_factory = sqlite3.Row
            self.runs: dict[str, Any] = {r["run_id"]: dict(r) for r in store.execute("SELECT * FROM runs")}
            rows = store.execute("SELECT * FROM attempts").fetchall()
            self.attempts: dict[Key, Any] = {(r["run_id"], r["attempt"]): dict(r) for r in rows}
            events = store.execute("SELECT run_id, kind FROM events WHERE run_id IS NOT NULL").fetchall()
            self.events = Counter((e["run_id"], e["kind"]) for e in events)


def judge(
    history: History,
    accepted: Sequence[Sequence[Planned]],
    starts: Sequence[tuple[str, int, int, int]],
    killed_shims: set[Key],
    runs: Path,
) -> Verdict:
    """Hold everything against everything."""
    verdict = Verdict()
    noted = Counter((run, attempt) for run, attempt, _, _ in starts)
    for key, count in noted.items():
        if count > 1:
            verdict.twice[key[0]] = f"attempt {key[1]} started {count} times"
        if key not in history.attempts:
            verdict.wrong[key[0]] = f"attempt {key[1]} started and the store knows nothing of it"
    known = {planned.run_id for batch in accepted for planned in batch}
    for run_id in history.runs.keys() - known:
        verdict.twice[run_id] = "it is in the store, and no answer named it"
    status = {run_id: run["status"] for run_id, run in history.runs.items()}
    for batch in accepted:
        for planned in batch:
            _judge_run(verdict, history, planned, batch, status, killed_shims, noted)
    for key, attempt in history.attempts.items():
        if problem := folder_problem(runs / key[0][:6] / key[0] / str(key[1]), attempt, key in noted):
            verdict.disagree[key[0]] = f"attempt {key[1]}: {problem}"
    return verdict


def _judge_run(
    verdict: Verdict,
    history: History,
    planned: Planned,
    batch: Sequence[Planned],
    status: dict[str, str],
    killed_shims: set[Key],
    noted: Counter[Key],
) -> None:
    run_id, run = planned.run_id, history.runs.get(planned.run_id)
    if run is None:
        verdict.lost[run_id] = f"{planned.kind.name}: accepted, and not in the store"
        return
    if run["status"] in ("queued", "running"):
        verdict.lost[run_id] = f"{planned.kind.name}: still {run['status']}"
        return
    if (ends := history.events[run_id, "run_ended"]) != 1:
        verdict.wrong[run_id] = f"{planned.kind.name}: ended {ends} times"
    touched = {key[1] for key in killed_shims if key[0] == run_id}
    found = run["status"], run["reason"]
    if found not in right_ends(planned, batch, status, bool(touched)):
        verdict.wrong[run_id] = f"{planned.kind.name}: ended as {found}, {run['reason_detail']!r}"
    if found[0] == "completed" and not noted[run_id, run["attempt"]]:
        verdict.wrong[run_id] = f"{planned.kind.name}: completed, and never started"
    most = planned.kind.more.get("max_retries", 0) + 1
    if run["attempt"] > most:
        verdict.wrong[run_id] = f"{planned.kind.name}: {run['attempt']} attempts of {most}"


def folder_problem(folder: Path, attempt: dict[str, Any], is_noted: bool) -> str | None:
    """Say where an attempt's folder and the store disagree; None if they do not."""
    if attempt["ended_at"] is None:
        return "it has no end"
    end = RunFolder(folder).exit()
    if end is None:
        if is_noted and attempt["reason"] != LOST[1]:
            return f"no exit record, and the store says {attempt['reason']}"
        return None
    stored = attempt["exit_code"], attempt["signal"], attempt["reason"]
    written = end.get("exit_code"), end.get("signal"), end.get("reason")
    if stored != written and attempt["reason"] != "out_of_memory":
        return f"its folder says {written}, the store {stored}"
    if (folder / "spec.json").exists():
        return "its spec still lies there"
    return None
