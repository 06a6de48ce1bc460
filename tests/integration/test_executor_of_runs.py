"""Functions called in runs through the standard library's Executor, and runs gathered."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, as_completed, wait
from pathlib import Path

import pytest

import runyard
from runyard import submission
from runyard.pool_executor import RunyardExecutor
from runyard.session import Session
from runyard_cluster.errors import RunFailedError, RunTimeoutError
from tests.in_process import InProcess, in_process
from tests.rest import submit
from tests.support import python, wait_until

SMALL = {"num_cpus": 0.1, "memory": "64MiB"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """A server that this process submits to."""
    with in_process(tmp_path) as found, found.session() as session:
        monkeypatch.setattr(submission, "session", lambda: session)
        yield found


def test_functions_are_called_with_their_arguments_and_give_results(server: InProcess) -> None:
    with RunyardExecutor(2, name="roots", **SMALL) as executor:
        assert list(executor.map(math.sqrt, [1, 4, 9])) == [1.0, 2.0, 3.0]
        future = executor.submit(divmod, 7, 2)
        assert future.result(30) == (3, 1)
        assert future.run.fields["module_name"] == "builtins.divmod"
        folder = executor._folder
    assert not executor.batch.is_open and len(executor.batch) == 4
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(math.sqrt, 1)


def test_an_exception_of_the_function_is_raised_as_it_was(server: InProcess) -> None:
    with RunyardExecutor(**SMALL) as executor:
        bad = executor.submit(math.sqrt, -1)
        with pytest.raises(ValueError, match="math domain error"):
            bad.result(30)
        assert "ValueError: math domain error" in bad.run.log()
        assert bad.run.fields["exit_code"] == 1
        with pytest.raises((AttributeError, TypeError)):
            executor.submit(lambda: 1)
        unsendable = executor.submit(threading.Lock)
        with pytest.raises(TypeError, match="cannot be pickled"):
            unsendable.result(30)


def test_any_other_end_of_the_run_is_its_error(server: InProcess) -> None:
    with RunyardExecutor(timeout="1s", **SMALL) as executor:
        slow, gone = executor.submit(time.sleep, 60), executor.submit(os._exit, 7)
        done, _ = wait([slow, gone], timeout=30)
        assert len(done) == 2
        assert isinstance(slow.exception(), RunTimeoutError)
        assert isinstance(gone.exception(), RunFailedError)


def test_a_future_is_cancelled_with_its_run_also_while_it_runs(server: InProcess) -> None:
    executor = RunyardExecutor(1, **SMALL)
    slow, waiting = executor.submit(time.sleep, 60), executor.submit(time.sleep, 60)
    wait_until(slow.running, 20, "it runs")
    assert slow.cancel()
    executor.shutdown(cancel_futures=True)
    for future in as_completed([slow, waiting], timeout=30):
        with pytest.raises(CancelledError):
            future.result()
        assert future.run.wait(20).status == "cancelled"


def test_functions_of_the_callers_own_program_are_found(server: InProcess, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from runyard import RunyardExecutor\n"
        "def double(n):\n    return 2 * n\n"
        "if __name__ == '__main__':\n"
        "    with RunyardExecutor(num_cpus=0.1, memory='64MiB') as executor:\n"
        "        print(list(executor.map(double, [1, 2])))\n"
    )
    import subprocess

    environ = {**os.environ, "RUNYARD_URL": server.url, "RUNYARD_TOKEN": server.token}
    done = subprocess.run(
        [sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[2, 4]\n", done.stderr


def test_runs_are_gathered_in_order_and_told_of_as_they_end(server: InProcess) -> None:
    with server.session() as session:
        runs = [
            one(session, code) for code in ("import time; time.sleep(0.3)", "raise SystemExit(3)", "pass")
        ]
        results = runyard.gather(*runs, return_exceptions=True, timeout=30)
        assert [type(each).__name__ for each in results] == ["RunResult", "RunFailedError", "RunResult"]
        with pytest.raises(RunFailedError):
            runyard.gather(*runs)
        assert set(runyard.as_completed([*runs, runs[0]])) == set(runs), "each once"
        with server.http() as client:
            held = submit(client, command=["true"], hold=True)
        waiting = session._handle(held)
        with pytest.raises(TimeoutError):
            runyard.gather(waiting, timeout=0.1)
        assert "queued" in waiting._repr_html_()


def one(session: Session, code: str) -> runyard.Run:
    return session.submit({"command": python(code), **SMALL}, None)
