"""How a batch that is waited for shows how it gets on."""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from runyard.batch import Batch
from runyard.progress import check, show
from runyard.run import Run
from runyard.session import Session
from runyard_cluster.errors import InvalidRequestError
from tests.in_process import in_process


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session with a server in this process."""
    with in_process(tmp_path_factory.mktemp("progress")) as server, server.session() as session:
        yield session


def submitted(session: Session) -> Batch:
    small = {"num_cpus": 0.1, "memory": "16MiB"}
    return session.submit_batch(
        {"name": "shown", "runs": [{"command": ["sh", "-c", f"exit {n}"], **small} for n in range(3)]}, None
    )


def test_a_function_is_called_once_with_each_run_that_has_ended(session: Session) -> None:
    told: list[Run] = []
    is_all = threading.Event()

    def note(run: Run) -> None:
        told.append(run)
        if len(told) == 3:
            is_all.set()

    batch = submitted(session)
    show(batch, note)
    assert is_all.wait(30)
    assert sorted(run.run_id for run in told) == sorted(run.run_id for run in batch.runs)
    assert {run.status for run in told} == {"completed", "failed"}


@pytest.mark.parametrize("kind", [True, "rich", "tqdm"])
def test_a_bar_goes_to_standard_error_alone(
    session: Session, capfd: pytest.CaptureFixture[str], kind: Any
) -> None:
    batch = submitted(session)
    show(batch, kind)
    batch.wait(30)
    out, err = capfd.readouterr()
    assert out == ""
    assert "shown" in err
    assert "3/3" in err


def test_what_cannot_be_shown_is_refused_before_anything_is_submitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InvalidRequestError, match="it may be True"):
        check("tdqm")  # type: ignore[arg-type] # that is the mistake
    real = builtins.__import__

    def without_tqdm(name: str, *more: Any, **others: Any) -> Any:
        if name == "tqdm":
            raise ImportError(name)
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    with pytest.raises(InvalidRequestError, match="needs the package tqdm"):
        check("tqdm")
