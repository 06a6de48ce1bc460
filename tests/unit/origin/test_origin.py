"""Where runs come from: interpreters, packages and git, found once and believed for a while."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runyard_cluster.origin import finder, interpreter
from runyard_cluster.origin.finder import OriginFinder
from runyard_cluster.origin.git import git_state
from runyard_cluster.origin.origin import Origin, changes, origin_from_json, origin_to_json


def git(folder: Path, *words: str) -> str:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    named = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *named, *words], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "-qm", "one")
    return folder


def test_the_state_of_a_folder_is_its_commit_and_whether_files_differ(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "new.txt").write_text("not tracked")
    assert git_state(str(repository)) == (commit, False)
    (repository / "train.py").write_text("print(2)\n")
    assert git_state(str(repository)) == (commit, True)


def test_no_git_and_no_commit_are_nothing(tmp_path: Path) -> None:
    assert git_state(str(tmp_path)) is None
    assert git_state(str(tmp_path / "missing")) is None
    git(tmp_path, "init", "-q")
    assert git_state(str(tmp_path)) is None


def test_what_a_repository_names_to_watch_its_files_is_not_run(repository: Path) -> None:
    (repository / "evil").write_text("#!/bin/sh\ntouch ran\n")
    (repository / "evil").chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(repository / "evil"))
    assert git_state(str(repository)) is not None
    assert not (repository / "ran").exists()


def test_an_interpreter_is_asked_once_until_packages_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "_known", {})
    first = interpreter.current(sys.executable)
    assert first is not None
    assert first.version == ".".join(map(str, sys.version_info[:3]))
    assert interpreter.current(sys.executable) is first
    site = tmp_path / "site"
    site.mkdir()
    changed = interpreter.Interpreter(
        version="3", packages="x", marks=((str(site), site.stat().st_mtime_ns),)
    )
    assert changed.is_current()
    os.utime(site, ns=(1, 1))
    assert not changed.is_current()
    assert interpreter.current(str(tmp_path / "no-python")) is None


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/usr/bin/python3.11", True),
        ("python", True),
        ("Python.EXE", True),
        ("pythonic", False),
        ("sh", False),
    ],
)
def test_an_interpreter_is_known_by_its_name(program: str, expected: bool) -> None:
    assert interpreter.is_python(program) is expected


def test_the_code_of_a_script_is_that_of_its_folder(repository: Path, tmp_path: Path) -> None:
    found = OriginFinder(tmp_path / "code")
    script = [sys.executable, str(repository / "train.py")]
    assert found.known(script, str(tmp_path)) is None
    origin = found.find(script, str(tmp_path))
    assert origin.commit == git(repository, "rev-parse", "HEAD")
    assert (origin.dirty, origin.python) == (False, sys.executable)
    assert origin.packages is not None and len(origin.packages) == 32
    assert found.known(script, str(tmp_path)) == origin
    other = found.find(["true"], str(tmp_path))
    assert other == Origin()


def test_what_was_found_is_believed_for_seconds(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = OriginFinder(tmp_path / "code")
    before = found.find(["true"], str(repository))
    (repository / "train.py").write_text("print(2)\n")
    assert found.find(["true"], str(repository)) == before
    monkeypatch.setattr(finder, "FRESH_SECONDS", 0.0)
    assert found.known(["true"], str(repository)) is None
    assert found.find(["true"], str(repository)).dirty


def test_changes_are_told_in_sentences_and_the_unknown_is_passed_over() -> None:
    before = Origin(python="/a", python_version="3.11.1", packages="x", commit="1" * 40, dirty=False)
    after = Origin(python="/b", python_version="3.12.0", packages="y", commit="2" * 40, dirty=True)
    assert changes(before, after) == [
        "commit 1111111111 became 2222222222",
        "files differ from the commit now",
        "Python 3.11.1 became 3.12.0",
        "other versions of packages are installed",
    ]
    assert changes(before, before) == []
    assert changes(Origin(), after) == ["files differ from the commit now"]
    assert changes(after, before)[1] == "files differed from the commit then"
    assert origin_from_json({**origin_to_json(after), "later": 1}) == after
