"""The folder of an attempt: who decides that it starts, and what of a module's report is believed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.run_folder import REPORT_BYTES, RunFolder
from runyard_actors.shim import quick_json
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster.process import FileLock


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder.of(tmp_path, "01jdabcxyz", 2)
    found.create()
    return found


def report(folder: RunFolder, *lines: str | bytes) -> dict[str, Any]:
    data = [line.encode() if isinstance(line, str) else line for line in lines]
    folder.report_file.write_bytes(b"\n".join(data))
    return folder.report()


def test_each_attempt_has_a_private_folder_of_its_own(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.path == tmp_path / "01jdab" / "01jdabcxyz" / "2"
    if os.name == "posix":
        assert folder.path.stat().st_mode & 0o777 == 0o700


def test_whoever_makes_the_folder_knows_that_nothing_is_in_it(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path / "not there yet", "01jdabcxyz", 1)
    assert folder.create()
    assert not folder.create()
    assert RunFolder.of(tmp_path / "not there yet", "01jdabcxyz", 2).create()


def test_only_the_first_claim_counts(folder: RunFolder) -> None:
    assert folder.never_start("cancelled_by_user", "first")
    assert not folder.never_start("cancelled_by_user", "second")
    assert not folder.claim({"shim_pid": 1})
    assert folder.started()["never_starts"]["reason_detail"] == "first"  # type: ignore[index]
    assert [file.name for file in folder.path.iterdir()] == ["record.jsonl"]


def test_a_supervisor_of_the_first_version_is_known_by_what_it_left(folder: RunFolder) -> None:
    lock = FileLock.acquire(folder.path / "alive")
    assert lock is not None
    assert folder.is_alive()
    assert folder.is_begun()
    lock.release()
    assert not folder.is_begun()
    (folder.path / "started.json").write_text('{"shim_pid": 5}')
    (folder.path / "exit.json").write_text('{"ended_at": 7, "exit_code": 3}')
    assert folder.is_begun()
    assert not folder.never_start("cancelled_by_user", "too late")
    assert (folder.started(), folder.exit()) == ({"shim_pid": 5}, {"ended_at": 7, "exit_code": 3})


def test_what_is_not_there_or_torn_is_none(folder: RunFolder) -> None:
    assert (folder.started(), folder.child(), folder.exit(), folder.log_gap()) == (None, None, None, None)
    folder.record_file.write_text('{"claim": {"shim_pid": 5}}\n{"exit": {"exit_co')
    assert folder.exit() is None
    assert folder.started() == {"shim_pid": 5}
    assert folder.log_size() == 0
    assert folder.report_mark() == (0, 0)
    assert folder.report() == {}


def test_the_newest_of_each_field_is_reported(folder: RunFolder) -> None:
    assert report(
        folder,
        '{"progress": 0.1, "message": "one"}',
        '{"metrics": {"loss": 2}}',
        '{"progress": 0.5}',
        '{"result": {"files": 3}, "metrics": {"loss": 1}}',
        "",
    ) == {"progress": 0.5, "message": "one", "metrics": {"loss": 1}, "result": {"files": 3}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"progress": 7}', {"progress": 1.0}),
        ('{"progress": -1e999}', {"progress": 0.0}),
        ('{"progress": 1' + "0" * 400 + "}", {"progress": 1.0}),
        ('{"progress": NaN}', {}),
        ('{"progress": true}', {}),
        ('{"progress": "0.5"}', {}),
        ('{"message": 5}', {}),
        (json.dumps({"message": "x" * 5000}), {"message": "x" * 1000}),
        ('{"message": "\\ud800"}', {"message": "?"}),
        ('{"metrics": {"loss": NaN}}', {}),
        ('{"metrics": [1]}', {}),
        ('{"result": 1e999}', {}),
        ('{"result": "\\ud800"}', {}),
        ('{"result": null}', {"result": None}),
        (json.dumps({"result": "x" * 70_000}), {}),
        ('{"result": ' + "[" * 50_000 + "]" * 10, {}),
        ('{"progress": 0.', {}),
        ('["progress"]', {}),
        (b'\xff{"progress": 1}', {}),
        ('{"unknown": 1}', {}),
    ],
)
def test_what_makes_no_sense_is_left_out(
    folder: RunFolder, line: str | bytes, expected: dict[str, Any]
) -> None:
    assert report(folder, line) == expected


def test_of_a_huge_report_the_end_is_read(folder: RunFolder) -> None:
    lines = ['{"message": "early"}', *['{"progress": 0.25, "filler": "' + "x" * 1000 + '"}'] * 1500]
    assert len("\n".join(lines)) > REPORT_BYTES
    assert report(folder, *lines) == {"progress": 0.25}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_in_place_of_the_report_holds_nobody_up(folder: RunFolder) -> None:
    os.mkfifo(folder.report_file)
    assert folder.report() == {}


VALUES: list[Any] = [
    {},
    {"a": [1, -2.5, None, True, 'é\n"\\ \ud800 \U0001f600 \0']},
    {"nested": {"deep": [[[]]]}, "large": 2**70},
    "text",
    [],
]


@pytest.mark.parametrize("value", VALUES)
def test_the_shims_json_is_json(value: Any) -> None:
    assert quick_json.loads(json.dumps(value)) == value
    assert json.loads(quick_json.dumps(value)) == value
    assert quick_json.dumps(value) == json.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "{} x", "nope", '{"a": }', '"open'])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        quick_json.loads(text)


def test_a_spec_comes_back_as_it_was() -> None:
    spec = ShimSpec(
        run_id="r", attempt=3, nonce="n", command=["a", "é\udcff"], cwd="/", env={"K": "V"}, memory_bytes=5
    )
    again = ShimSpec(**quick_json.loads(spec.to_json().decode()))
    assert [getattr(again, name) for name in ShimSpec.__slots__] == [
        getattr(spec, n) for n in ShimSpec.__slots__
    ]
    assert "V" not in repr(spec), "an environment may hold secrets"
