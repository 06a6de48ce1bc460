"""The command line in this process, on a data folder of its own with some history in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.cli import main
from runyard_actors.ids import new_ids
from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Outcome, Reason, RunId, RunSpec
from runyard_actors.run_folder import RunFolder
from runyard_actors.store import StoreWriter
from runyard_actors.store.changes import (
    AttemptEnded,
    AttemptStarted,
    AttemptStarting,
    Change,
    ProgressReported,
    RunsSubmitted,
)
from runyard_cluster.data_dir import DataDir
from tests.unit.cli.playing import Answer, History, Runyard

#: 2026-01-31 08:00:00 UTC in microseconds.
START = 1_769_846_400_000_000
SECOND = 1_000_000


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """Where this test's command lines find their store; no settings of the machine come through."""
    monkeypatch.setenv("RUNYARD_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RUNYARD_URL", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    found = DataDir(tmp_path / "data")
    found.create()
    return found


@pytest.fixture
def runyard(data_dir: DataDir, capfdbinary: pytest.CaptureFixture[bytes]) -> Runyard:
    """A function that runs one command line and gives exit code and output."""

    def run(*arguments: str) -> Answer:
        capfdbinary.readouterr()
        code = main.run(arguments)
        out, err = capfdbinary.readouterr()
        return Answer(code, out, err.decode())

    return run


@pytest.fixture
def history(data_dir: DataDir) -> Iterator[History]:
    """A store with one run of each kind, and the log of the failed one."""
    ids = [RunId(i) for i in new_ids(4)]
    batch_id = BatchId(new_ids(1)[0])
    write_log(data_dir, ids[1], b"first\nsecond\xff\nlast")
    writer = StoreWriter(data_dir.database)
    for changes in _changes(ids, batch_id):
        writer.write(changes).result(10)
    writer.close()
    yield History(batch_id, *ids)


def write_log(data_dir: DataDir, run_id: str, content: bytes) -> RunFolder:
    """Write the log of a run's first attempt, its lines one second apart."""
    folder = RunFolder.of(data_dir.runs, run_id, 1)
    folder.create()
    folder.log_file.write_bytes(content)
    offset, index = 0, []
    for number, line in enumerate(content.split(b"\n")):
        offset += len(line) + 1
        index.append(f"{offset} {START + number * SECOND}\n")
    folder.time_index_file.write_text("".join(index))
    return folder


def _changes(ids: list[RunId], batch_id: BatchId) -> Iterator[list[Change]]:
    specs = [_spec(run_id, batch_id, index) for index, run_id in enumerate(ids[:3])]
    yield [RunsSubmitted(specs=specs, created_at=START, batch=BatchSpec(batch_id=batch_id, name="sweep"))]
    yield [RunsSubmitted(specs=[_spec(ids[3], None, None)], created_at=START + SECOND)]
    for run_id in ids[:3]:
        yield [_starting(run_id), AttemptStarted(run_id=run_id, attempt=1, pid=42, at=START + 2 * SECOND)]
    yield [_ended(ids[0], None, None, 0), _ended(ids[1], Reason.EXIT_CODE, "exit code 3", 3)]
    yield [ProgressReported(run_id=ids[2], progress=0.4, message="epoch \x1b[31m3\x1b[0m")]


def _spec(run_id: RunId, batch_id: BatchId | None, index: int | None) -> RunSpec:
    return RunSpec(
        run_id=run_id,
        module_id="train",
        module_name="Train \x1b]0;owned\x07it",
        command=("python", "train.py", "--lr", "0 1"),
        cwd="/somewhere",
        env={"SECRET": "hidden-value"},
        request=Request(cpu_milli=500, memory_bytes=1 << 30),
        labels={"team": "red"},
        batch_id=batch_id,
        batch_index=index,
    )


def _starting(run_id: RunId) -> AttemptStarting:
    return AttemptStarting(run_id=run_id, attempt=1, nonce="n", node="here", boot_id="b", at=START + SECOND)


def _ended(run_id: RunId, reason: Reason | None, detail: str | None, code: int) -> AttemptEnded:
    outcome = Outcome(ended_at=START + 4 * SECOND, exit_code=code, reason=reason, reason_detail=detail)
    return AttemptEnded(run_id=run_id, attempt=1, outcome=outcome)
