"""Every row of the table of bad input gets what it must, through all three front doors of one server."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard.cli import main
from runyard.client import Client
from runyard.submission import session
from tests.bad_input import processes
from tests.bad_input.doors import (
    CommandLine,
    Door,
    Python,
    RefusalError,
    Rest,
    Taken,
    no_error_of_another_kind,
    placed,
)
from tests.bad_input.row import Accepted, Answers, Batch, Call, Ends, HeldBy, Refused, Row, Submit
from tests.bad_input.table import NUMBERS, ROWS
from tests.in_process import InProcess, in_process
from tests.rest import run_count, submit, wait_ended
from tests.support import python
from tests.unit.cli.playing import Answer

TESTS = Path(__file__).parents[1]
EACH = [(row, door) for row in ROWS for door in row.doors()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("odd")
    processes.make_odd_files(found)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[InProcess]:
    """A server that Python and command line of this process take for theirs."""
    with in_process(tmp_path_factory.mktemp("server")) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_URL", found.url)
        patch.setenv("RUNYARD_TOKEN", found.token)
        patch.setenv("RUNYARD_DATA_DIR", str(folder / "none"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "none"))
        patch.delenv("FORCE_COLOR", raising=False)
        patch.chdir(folder)
        yield found
        session().close()


@pytest.fixture(scope="module")
def http(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as found:
        yield found


@pytest.fixture(scope="module")
def client(server: InProcess) -> Iterator[Client]:
    with server.client() as found:
        yield found


@pytest.fixture(scope="module")
def ended_run(http: httpx.Client) -> str:
    """The id of a run that has ended."""
    run_id: str = submit(http, command=["echo", "hello"])["run_id"]
    wait_ended(http, run_id)
    return run_id


@pytest.fixture
def doors(
    http: httpx.Client, client: Client, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> dict[str, Door]:
    """The three front doors of the server."""

    def run(*words: str) -> Answer:
        capfdbinary.readouterr()
        code = main.run(words)
        out, err = capfdbinary.readouterr()
        return Answer(code, out, err.decode())

    return {
        "rest": Rest(http),
        "python": Python(client),
        "command line": CommandLine(run, tmp_path, with_token),
    }


@contextmanager
def with_token(token: str) -> Iterator[None]:
    before, os.environ["RUNYARD_TOKEN"] = os.environ["RUNYARD_TOKEN"], token
    try:
        yield
    finally:
        os.environ["RUNYARD_TOKEN"] = before


@pytest.mark.parametrize(("row", "door"), EACH, ids=[f"{row.number} {row.what}-{door}" for row, door in EACH])
def test_bad_input_gets_what_it_must(
    row: Row, door: str, doors: dict[str, Door], http: httpx.Client, ended_run: str, folder: Path
) -> None:
    given = row.given
    if isinstance(given, Submit):
        fields, options = (placed(v, processes.FOLDER, folder) for v in (given.fields, given.options))
        given = dataclasses.replace(given, fields=fields, options=options)
    before = run_count(http)
    if isinstance(row.answer, Refused):
        with pytest.raises(RefusalError) as caught:
            put(doors[door], given, ended_run)
        check_refusal(caught.value, row.answer, door)
        # The run that used a key was taken; what came under it afterwards was not.
        assert run_count(http) - before == (row.what == "the same key for something else")
        return
    taken = put(doors[door], given, ended_run)
    if isinstance(row.answer, Answers):
        assert taken.body == row.answer.body
        return
    assert taken.run_ids
    for run_id in taken.run_ids:
        check_end(wait_ended(http, run_id), row.answer)
        if isinstance(row.answer, Ends):
            assert http.get(f"/api/runs/{run_id}/log").content == row.answer.log
    line = doors["command line"]
    if isinstance(line, CommandLine) and door == "command line" and isinstance(row.answer, Ends):
        assert isinstance(given, Submit)
        check_followed(line, given, row.answer)


def put(door: Door, given: Submit | Batch | Call, run_id: str) -> Taken:
    """Put what is given through a door."""
    with no_error_of_another_kind():
        if isinstance(given, Submit):
            return door.submit(given)
        return door.batch(given) if isinstance(given, Batch) else door.call(given, run_id)


def check_refusal(seen: RefusalError, answer: Refused, door: str) -> None:
    """A refusal has the words that it must, and the class or code that belongs to the door."""
    more = {"rest": answer.rest, "python": answer.python, "command line": answer.command_line}[door]
    missing = [word for word in (*answer.words, *more) if word not in seen.text]
    assert not missing, f"no {missing} in {seen.text[:1500]}"
    if door == "command line":
        assert seen.code == answer.exit_code, seen
    else:
        assert seen.error == answer.error, seen
    if door == "rest":
        assert seen.code == answer.status, seen


def check_end(run: dict[str, Any], answer: Any) -> None:
    """A run ended as it must."""
    if isinstance(answer, Accepted):
        assert (run["status"], run["reason_detail"]) == ("completed", None)
        assert {k: run[k] for k in answer.shown} == answer.shown
        return
    assert isinstance(answer, Ends)
    seen = {k: run[k] for k in ("status", "reason", "exit_code", "signal")}
    assert seen == {k: getattr(answer, k) for k in seen}, run
    assert all(word in (run["reason_detail"] or "") for word in answer.words), run["reason_detail"]


def check_followed(door: CommandLine, given: Submit, answer: Ends) -> None:
    """`runyard run` writes what the run wrote, and exits with its code."""
    if given.options is None:
        return
    seen = door.followed(["run", *given.options, "--", *given.fields["command"]])
    assert (seen.code, seen.out) == (answer.code, answer.log), seen
    told = answer.reason not in (None, "exit_code")
    assert seen.err.startswith("runyard: run ") if told else seen.err == "", seen.err
    assert all(word in seen.err for word in answer.words)


@pytest.mark.parametrize(
    "row", [r for r in ROWS if isinstance(r.answer, HeldBy)], ids=lambda r: f"{r.number} {r.what}"
)
def test_what_another_test_holds_is_held_there(row: Row) -> None:
    assert isinstance(row.answer, HeldBy)
    path, _, name = row.answer.test.partition("::")
    assert f"def {name}(" in (TESTS / path).read_text("utf-8")
    assert row.answer.why


def test_every_row_of_the_list_is_there() -> None:
    assert {row.number for row in ROWS} == NUMBERS
    names = [(row.number, row.what) for row in ROWS]
    assert len(set(names)) == len(names)


def test_a_run_is_restarted_though_its_module_is_gone(http: httpx.Client) -> None:
    """A restart is of the run as it was, which the store has whole."""
    assert http.put("/api/modules/gone", json={"command": python("raise SystemExit(4)")}).status_code < 300
    first = wait_ended(http, submit(http, module_id="gone")["run_id"])
    assert http.delete("/api/modules/gone").status_code == 204
    assert http.post("/api/runs", json={"module_id": "gone"}).status_code == 404
    again = http.post(f"/api/runs/{first['run_id']}/restart")
    assert again.status_code == 202
    assert wait_ended(http, again.json()["run_id"])["exit_code"] == first["exit_code"] == 4
