"""The data folder is private, its secrets are made once, and what cannot be used is said in words."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runyard_cluster.data_dir import DataDir, default_data_dir
from runyard_cluster.errors import UnavailableError

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs file modes")
not_root = pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write everywhere")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "deep" / "data")
    made.create()
    return made


def test_every_file_lies_in_the_folder(folder: DataDir) -> None:
    files = [folder.database, folder.runs, folder.backups, folder.token_file, folder.ray_token_file]
    files += [folder.server_file, folder.server_lock, folder.server_log]
    assert {path.parent for path in files} == {folder.path}
    assert len(set(files)) == 8


@posix
def test_the_folders_are_private_and_made_as_often_as_one_likes(folder: DataDir) -> None:
    folder.create()
    assert mode(folder.path) == mode(folder.runs) == mode(folder.ray_temp.parent) == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(UnavailableError, match=r"data is there and no folder"):
        DataDir(tmp_path / "data").create()
    with pytest.raises(UnavailableError, match="cannot be made: Not a directory"):
        DataDir(tmp_path / "data" / "below").create()


@posix
@not_root
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = DataDir(tmp_path)
    folder.create()
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError, match="cannot be written"):
        folder.create()
    tmp_path.chmod(0o700)


def test_a_database_elsewhere_gets_its_folder(tmp_path: Path) -> None:
    folder = DataDir(tmp_path / "data", tmp_path / "other" / "runs.db")
    folder.create()
    assert folder.database == tmp_path / "other" / "runs.db"
    assert (tmp_path / "other").is_dir()


def test_secrets_are_made_once_and_differ(folder: DataDir) -> None:
    token, ray_token = folder.token(), folder.ray_token()
    assert folder.token() == token == folder.token_file.read_text()
    assert folder.ray_token() == ray_token
    assert len(token) >= 43
    assert len(ray_token) == 64
    int(ray_token, 16)
    assert sorted(p.name for p in folder.path.iterdir()) == ["ray-token", "runs", "token"]


@posix
def test_secrets_are_for_their_owner_only_even_if_they_were_not(folder: DataDir) -> None:
    token = folder.token()
    assert mode(folder.token_file) == 0o600
    folder.token_file.chmod(0o644)
    assert folder.token() == token
    assert mode(folder.token_file) == 0o600


def test_many_threads_that_ask_at_once_get_the_same_secret(folder: DataDir) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len({*pool.map(lambda _: folder.token(), range(64))}) == 1


def test_many_processes_that_ask_at_once_get_the_same_secret(folder: DataDir) -> None:
    code = "import sys, pathlib; from runyard_cluster.data_dir import DataDir as D; sys.stdin.readline(); "
    code += "print(D(pathlib.Path(sys.argv[1])).token())"
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for each in asking:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert len({each.communicate(timeout=60)[0] for each in asking}) == 1
    assert [each.returncode for each in asking] == [0] * 6


def test_an_empty_secret_is_never_taken_for_one(folder: DataDir) -> None:
    folder.token_file.write_text(" \n")
    with pytest.raises(UnavailableError, match="the file is empty; remove it"):
        folder.token()


def test_a_secret_that_cannot_be_read_is_named(folder: DataDir) -> None:
    folder.token_file.mkdir()
    with pytest.raises(UnavailableError, match="token cannot be read or made"):
        folder.token()
    folder.ray_token_file.write_bytes(b"\xff\xfe")
    with pytest.raises(UnavailableError, match="ray-token cannot be read or made"):
        folder.ray_token()


def test_ray_s_folder_is_short_and_one_for_each_data_folder(tmp_path: Path) -> None:
    one, other = DataDir(tmp_path / ("x" * 200)).ray_temp, DataDir(tmp_path / "b").ray_temp
    assert one != other
    assert one == DataDir(tmp_path / "b" / ".." / ("x" * 200)).ray_temp
    assert one.parent == other.parent
    assert len(os.fsencode(one)) <= 40 or not hasattr(os, "getuid")


@posix
def test_ray_s_folder_is_short_below_a_long_temporary_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
    assert DataDir(tmp_path).ray_temp.parent.parent == Path("/tmp")


@posix
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_for_ray_that_is_not_ours_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a short temporary folder in which somebody was there before us
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as shared:
        monkeypatch.setattr(tempfile, "tempdir", shared)
        theirs = DataDir(tmp_path).ray_temp.parent
        assert theirs.parent == Path(shared)
        (tmp_path / "trap").mkdir()
        theirs.symlink_to(tmp_path / "trap") if kind == "link" else theirs.write_text("")
        with pytest.raises(UnavailableError, match=r"is somebody else's|cannot be made"):
            DataDir(tmp_path / "data").create()


@posix
def test_a_folder_for_ray_that_others_may_write_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as shared:
        monkeypatch.setattr(tempfile, "tempdir", shared)
        ours = DataDir(tmp_path).ray_temp.parent
        ours.mkdir()
        ours.chmod(0o777)
        DataDir(tmp_path / "data").create()
        assert mode(ours) == 0o700


def test_the_default_folder_is_the_user_s_own() -> None:
    assert default_data_dir().is_absolute()
    assert "runyard" in default_data_dir().parts
