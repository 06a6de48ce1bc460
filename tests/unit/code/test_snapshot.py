"""A snapshot holds a folder as it was, once for equal content, and a copy of it is the run's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runyard_cluster.code import (
    Limits,
    archive_name,
    forget_unchanged,
    keep_commit,
    kept_commit,
    mapped,
    mapped_words,
    take_snapshot,
    unpack,
)
from runyard_cluster.errors import InvalidRequestError
from tests.unit.origin.test_origin import git

LIMITS = Limits(size_bytes=1 << 20)
posix = pytest.mark.skipif(os.name != "posix", reason="links and modes of POSIX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "lib").mkdir(parents=True)
    (root / "main.py").write_text("import lib.tool\n")
    (root / "lib" / "tool.py").write_text("X = 1\n")
    (root / "empty").mkdir()
    return root


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def copied(digest: str, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    unpack(tmp_path / "data" / "code" / archive_name(digest), copy)
    return copy


def test_equal_content_is_kept_once_and_other_content_apart(root: Path, tmp_path: Path) -> None:
    code = tmp_path / "data" / "code"
    first = take_snapshot(root, code, LIMITS)
    os.utime(root / "main.py", (1, 1))
    assert take_snapshot(root, code, LIMITS) == first
    assert len(list(code.iterdir())) == 1
    (root / "main.py").write_text("import lib\n")
    assert take_snapshot(root, code, LIMITS) != first
    assert len(list(code.iterdir())) == 2


def test_a_copy_is_what_was_there_and_stays_apart_from_later_edits(root: Path, tmp_path: Path) -> None:
    taken = take_snapshot(root, tmp_path / "data" / "code", LIMITS)
    (root / "lib" / "tool.py").write_text("X = 2\n")
    copy = copied(taken, tmp_path)
    assert files(copy) == {"main.py", "lib", "lib/tool.py", "empty"}
    assert (copy / "lib" / "tool.py").read_text() == "X = 1\n"


def test_what_is_ignored_stays_away_and_can_be_taken_in(root: Path, tmp_path: Path) -> None:
    for name in (".git/HEAD", "__pycache__/main.pyc", "data.csv", "keep.csv", "lib/big.bin"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / ".gitignore").write_text("*.csv\n")
    (root / ".runyardignore").write_text("!keep.csv\n")
    (root / "lib" / ".runyardignore").write_text("*.bin\n")
    found = files(copied(take_snapshot(root, tmp_path / "data" / "code", LIMITS), tmp_path))
    assert "keep.csv" in found
    assert not {"data.csv", "lib/big.bin", ".git", "__pycache__"} & found


def test_the_data_folder_is_left_out_when_it_lies_within(root: Path) -> None:
    code = root / "data" / "code"
    first = take_snapshot(root, code, LIMITS)
    assert take_snapshot(root, code, LIMITS) == first


def test_a_folder_that_is_too_large_is_refused_with_what_to_leave_out(root: Path, tmp_path: Path) -> None:
    (root / "weights").mkdir()
    (root / "weights" / "w.bin").write_bytes(b"\0" * (3 << 20))
    with pytest.raises(InvalidRequestError) as refused:
        take_snapshot(root, tmp_path / "data" / "code", LIMITS)
    words = str(refused.value)
    assert f"{root} holds 3.0 MiB, and max_code_size is 1 MiB" in words
    assert f"{root / '.runyardignore'}; the most is in weights/ (3 MiB)" in words
    with pytest.raises(
        InvalidRequestError, match=r"holds 3 files, and at most 2 are shipped.*lib/ \(1 files\)"
    ):
        take_snapshot(root, tmp_path / "data" / "code", Limits(size_bytes=1 << 30, files=2))
    assert not (tmp_path / "data").exists()


@posix
def test_links_and_modes_are_kept(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("far")
    (root / "near").symlink_to("main.py")
    (root / "lib" / "up").symlink_to("../main.py")
    (root / "lib" / "far").symlink_to("../../outside.txt")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    copy = copied(take_snapshot(root, tmp_path / "data" / "code", LIMITS), tmp_path)
    assert (copy / "near").readlink() == Path("main.py")
    assert (copy / "lib" / "up").read_text() == "import lib.tool\n"
    assert (copy / "lib" / "far").read_text() == "far"
    assert (copy / "run.sh").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(root: Path, tmp_path: Path) -> None:
    (root / "secret").touch(mode=0)
    with pytest.raises(
        InvalidRequestError, match="secret cannot be read: Permission denied; leave it out in"
    ):
        take_snapshot(root, tmp_path / "data" / "code", LIMITS)


@pytest.mark.skipif(sys.platform != "linux", reason="paths of 4,095 bytes")
def test_a_folder_that_cannot_be_looked_into_is_named(root: Path, tmp_path: Path) -> None:
    # Given a folder whose own path is as long as a path may be, so that nothing in it can be named
    deep = root
    while (left := 4090 - len(str(deep))) > 1:
        deep = deep / ("d" * min(200, left - 1))
        deep.mkdir()
    with pytest.raises(InvalidRequestError, match=r"code cannot be shipped: .*/\.gitignore cannot be read"):
        take_snapshot(root, tmp_path / "data" / "code", LIMITS)


def test_what_somebody_removes_meanwhile_is_left_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "lib" / "kept.py").touch()
    real = os.scandir

    def removing(folder: Path) -> list[os.DirEntry[str]]:
        with real(folder) as found:
            entries = list(found)
        (root / "lib" / "tool.py").unlink(missing_ok=True)
        return entries

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", removing)
        taken = take_snapshot(root, tmp_path / "data" / "code", LIMITS)
    assert files(copied(taken, tmp_path) / "lib") == {"kept.py"}


def test_after_a_run_only_what_it_wrote_is_left_of_its_copy(root: Path, tmp_path: Path) -> None:
    copy = copied(take_snapshot(root, tmp_path / "data" / "code", LIMITS), tmp_path)
    (copy / "out").mkdir()
    (copy / "out" / "result.csv").write_text("1")
    (copy / "main.py").write_text("changed")
    forget_unchanged(copy)
    assert files(copy) == {"main.py", "out", "out/result.csv"}


def test_a_copy_that_nothing_was_written_to_is_gone(root: Path, tmp_path: Path) -> None:
    copy = copied(take_snapshot(root, tmp_path / "data" / "code", LIMITS), tmp_path)
    forget_unchanged(copy)
    assert not copy.exists()


def test_a_damaged_snapshot_is_an_error_of_the_disk(root: Path, tmp_path: Path) -> None:
    code = tmp_path / "data" / "code"
    taken = take_snapshot(root, code, LIMITS)
    (code / archive_name(taken)).write_bytes(b"no archive")
    with pytest.raises(OSError, match="damaged"):
        copied(taken, tmp_path)


def test_paths_of_the_folder_are_mapped_and_others_are_not(tmp_path: Path) -> None:
    root, copy = tmp_path / "project", tmp_path / "copy"
    copy.mkdir()
    (copy / "main.py").touch()
    project = str(root)
    assert mapped(str(root / "sub"), project, copy) == str(copy / "sub")
    assert mapped(str(root), project, copy) == str(copy)
    assert mapped(str(tmp_path / "projects"), project, copy) == str(tmp_path / "projects")
    words = [sys.executable, str(root / "main.py"), "main.py", str(root / "elsewhere.csv"), "--x"]
    expected = (words[0], str(copy / "main.py"), *words[2:])
    assert mapped_words(words, project, copy) == expected


def test_the_commit_that_has_just_its_content_is_the_one_that_is_kept_of_a_snapshot(
    root: Path, tmp_path: Path
) -> None:
    code = tmp_path / "data" / "code"
    taken = take_snapshot(root, code, LIMITS)
    keep_commit(root, code, taken)
    assert kept_commit(code, taken) is None, "no git"
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    (root / "main.py").write_text("import lib\n")
    taken = take_snapshot(root, code, LIMITS)
    keep_commit(root, code, taken)
    assert kept_commit(code, taken) == (git(root, "rev-parse", "HEAD"), True)
    git(root, "commit", "-qam", "two")
    keep_commit(root, code, taken)
    clean = (git(root, "rev-parse", "HEAD"), False)
    assert kept_commit(code, taken) == clean
    git(root, "reset", "-q", "--soft", "HEAD~1")
    keep_commit(root, code, taken)
    assert kept_commit(code, taken) == clean


def test_a_note_of_a_commit_that_is_damaged_is_none(tmp_path: Path) -> None:
    for text in ("", "{", "null", "[1]", "[1, 2, 3]"):
        (tmp_path / "x.commit").write_text(text)
        assert kept_commit(tmp_path, "x") is None
