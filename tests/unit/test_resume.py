"""Resume: what is left out of a batch, and what makes a row another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runyard.resume import LABEL, left_to_do, with_digests
from runyard_cluster.settings import ModuleSettings


def marked(*runs: dict[str, Any]) -> list[dict[str, Any]]:
    return with_digests(runs, {})


def digest(run: dict[str, Any], **modules: ModuleSettings) -> str:
    return str(with_digests([run], modules)[0]["labels"][LABEL])


def row(program: str, **more: Any) -> dict[str, Any]:
    return {"command": [program], **more}


def left(runs: list[dict[str, Any]], *done: int) -> list[str]:
    return [run["command"][0] for run in left_to_do(runs, {runs[index]["labels"][LABEL] for index in done})]


def test_what_completed_is_left_out_and_indexes_follow() -> None:
    runs = marked(row("a"), row("b"), row("c", after=[0, 1]), row("d", after_any=[0, 2]))
    assert left(runs, 0) == ["b", "c", "d"]
    again = left_to_do(runs, {runs[0]["labels"][LABEL]})
    assert [run.get("after") for run in again] == [None, [0], None]
    assert again[2]["after_any"] == [1]
    assert left(runs, 0, 1, 2, 3) == []


def test_what_comes_after_a_run_that_runs_again_runs_again() -> None:
    runs = marked(row("a"), row("b", after=[0]), row("c", after=[1]), row("d"))
    assert left(runs, 1, 2, 3) == ["a", "b", "c"]


def test_an_alarm_for_what_completed_is_left_out() -> None:
    runs = marked(row("a"), row("alarm", after_failed=[0]), row("b"))
    assert left(runs, 0) == ["b"]
    assert left(runs, 2) == ["a", "alarm"]


@pytest.mark.parametrize(
    "other",
    [{"args": ["2"]}, {"env": {"A": "2"}}, {"cwd": "/other"}, {"python": "python4"}, {"command": ["y"]}],
)
def test_another_command_or_environment_is_another_row(other: dict[str, Any]) -> None:
    run = {"command": ["x"], "args": ["1"], "env": {"A": "1"}, "cwd": "/here"}
    assert digest(run) != digest({**run, **other})


def test_what_a_run_requests_and_is_called_makes_no_other_row() -> None:
    assert digest(row("x")) == digest(row("x", memory=1, name="n", labels={"a": "b"}, priority=3, after=[1]))


def test_another_content_of_the_script_is_another_row(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("print(1)")
    run, module = {"script": str(script)}, ModuleSettings(script=script)
    before = digest(run), digest({"module": "m"}, m=module)
    assert before == (digest(run), digest({"module": "m"}, m=module))
    script.write_text("print(2)")
    assert before[0] != digest(run)
    assert before[1] != digest({"module": "m"}, m=module)
    script.unlink()
    assert digest(run) not in before
