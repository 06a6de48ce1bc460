"""Finding the data folder without importing all settings, as the settings find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard_cluster.errors import SettingsError
from runyard_cluster.locate import find_config, locate
from runyard_cluster.settings import load_settings


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    (tmp_path / "project" / "deep").mkdir(parents=True)
    return tmp_path


def both(config: Path | None, environ: dict[str, str], cwd: Path) -> Path:
    """Return the data folder, which must be the same by both ways."""
    found = locate(config, environ=environ, cwd=cwd).path
    assert found == load_settings(config, environ=environ, cwd=cwd).data_dir
    return found


def test_the_nearest_configuration_upwards_names_the_folder(house: Path) -> None:
    (house / "project" / "runyard.toml").write_text('data_dir = "data"')
    assert both(None, {}, house / "project" / "deep") == house / "project" / "data"


def test_a_named_file_goes_before_the_variable_and_that_before_the_nearest(house: Path) -> None:
    for name in ("a", "b", "project/runyard"):
        (house / f"{name}.toml").write_text(f'data_dir = "/data/{name}"')
    environ = {"RUNYARD_CONFIG": str(house / "b.toml")}
    assert both(house / "a.toml", environ, house / "project") == Path("/data/a")
    assert both(None, environ, house / "project") == Path("/data/b")
    assert both(None, {}, house / "project") == Path("/data/project/runyard")


def test_a_variable_goes_before_the_file(house: Path) -> None:
    (house / "project" / "runyard.toml").write_text('data_dir = "data"')
    assert both(None, {"RUNYARD_DATA_DIR": "other"}, house / "project") == house / "project" / "other"
    assert both(None, {"RUNYARD_DATA_DIR": "other"}, house) == house / "other"


def test_the_users_own_configuration_comes_last(house: Path) -> None:
    assert both(None, {}, house) == house / "share" / "runyard"
    (house / "config" / "runyard").mkdir(parents=True)
    (house / "config" / "runyard" / "runyard.toml").write_text('data_dir = "/own"')
    assert both(None, {}, house) == Path("/own")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"data_dir = 3", "data_dir must be a path"), (b"x = [", "not valid TOML"), (b"\xff", "not UTF-8")],
)
def test_a_bad_file_is_named(house: Path, content: bytes, words: str) -> None:
    path = house / "runyard.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        locate(None, environ={}, cwd=house)
    assert str(path) in str(caught.value)


def test_a_named_file_must_exist(house: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: no such file"):
        find_config(Path("gone.toml"), environ={}, cwd=house)
