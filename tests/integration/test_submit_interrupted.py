"""Ctrl-C at any line of `submit` and its like leaves nothing that goes on without anybody's having it in hand."""

from __future__ import annotations

import gc
import itertools
import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import runyard
from runyard import submission
from runyard.submitting import REASON
from tests.in_process import InProcess, in_process
from tests.support import tracing, wait_until

#: Interrupted between the making of a coroutine and its start, Python says so.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.timeout(600),
]

#: Of so many lines at most nobody can tell that they come after the last moment at which anything is undone.
LAST_LINES = 8


@contextmanager
def interrupted_at(line: int) -> Iterator[list[str]]:
    """Within: raise KeyboardInterrupt at that line of ours that this thread comes to; its place is in the list then."""
    places, lines = list[str](), itertools.count()
    entered: set[tuple[int, int]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if "/api/runyard/" not in frame.f_code.co_filename:
            return None
        if event == "line" and not _is_left(frame, entered) and next(lines) == line:
            places.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            raise KeyboardInterrupt
        return trace

    with tracing(trace):
        yield places


def _is_left(frame: FrameType, entered: set[tuple[int, int]]) -> bool:
    """Whether this is a `with` that is left: Python lets no signal in between its block and its end, a trace does."""
    if not linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
        return False
    # By its id: a frame that is kept would keep all that it holds, for who knows how long.
    place = (id(frame), frame.f_lineno)
    is_left = place in entered
    entered.add(place)
    return is_left


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """Serve this process; nothing starts, so that all that is submitted waits until somebody cancels it."""
    monkeypatch.setattr(submission, "_sessions", {})
    with in_process(tmp_path) as found:
        monkeypatch.setenv("RUNYARD_URL", found.url)
        monkeypatch.setenv("RUNYARD_TOKEN", found.token)
        with found.client() as client:
            client.pause()
        try:
            yield found
        finally:
            for session in submission._sessions.values():
                session.close()
            gc.collect()


def queued(server: InProcess, label: str) -> list[str]:
    with server.http() as http:
        answer = http.get("/api/runs", params={"label": f"at={label}"}).json()
    for run in answer["runs"]:
        assert run["status"] == "queued" or run["reason_detail"] == REASON
    return [run["run_id"] for run in answer["runs"] if run["status"] == "queued"]


def row(label: str) -> dict[str, Any]:
    return {"command": ["true"], "labels": {"at": label}, "num_cpus": 0.1}


def kept_at_each_line(server: InProcess, work: Callable[[str], object]) -> dict[str, int]:
    """Interrupt `work` at each of its lines in turn; return the places after which runs were left, and how many."""
    kept = {}
    for line in itertools.count():
        label = f"line-{line}"
        with interrupted_at(line) as places:
            try:
                work(label)
            except KeyboardInterrupt:
                pass
        left = queued(server, label)
        if not places:
            assert left, "it goes through in the end"
            break
        held = submission.session()._runs
        assert set(left) <= held.keys(), f"somebody has it in hand, after {places}"
        if left:
            kept[places[0]] = len(left)
    assert line > 30, "it came at many places before"
    return kept


def test_a_submit_that_is_interrupted_leaves_no_run(server: InProcess) -> None:
    submission.session()
    kept = kept_at_each_line(server, lambda label: runyard.submit(row(label)))
    assert len(kept) <= LAST_LINES, kept


@pytest.mark.parametrize("is_open", [False, True])
def test_a_batch_whose_submit_is_interrupted_leaves_no_run(server: InProcess, is_open: bool) -> None:
    submission.session()
    kept = kept_at_each_line(
        server, lambda label: runyard.submit_batch([row(label), row(label)], open=is_open)
    )
    assert len(kept) <= LAST_LINES, kept
    assert set(kept.values()) <= {2}, "all or none"


def test_a_submit_under_a_key_of_the_callers_is_left_for_who_sends_it_again(server: InProcess) -> None:
    submission.session()
    for line in itertools.count():
        key = f"key-{line}"
        with interrupted_at(line) as places:
            try:
                runyard.submit(row(key), idempotency_key=key)
            except KeyboardInterrupt:
                pass
        again = runyard.submit(row(key), idempotency_key=key)
        assert queued(server, key) == [again.run_id]
        if not places:
            break


def test_a_session_whose_beginning_is_interrupted_listens_no_more(server: InProcess) -> None:
    for line in itertools.count():
        submission._sessions.clear()
        with interrupted_at(line) as places:
            try:
                submission.session()
            except KeyboardInterrupt:
                pass
        if not places:
            break
        for session in submission._sessions.values():
            session.close()
        wait_until(lambda: server.context.hub.listeners == 0, 20, f"nobody listens after {places}")
    assert line > 20, "it came at many places before"
    wait_until(lambda: server.context.hub.listeners == 1, 20, "who got through does")
