"""Settings come from one file, then variables: each in its unit, paths absolute, and the same after JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runyard_cluster.errors import SettingsError
from runyard_cluster.settings import DefaultsSettings, ModuleSettings, Settings, load_settings
from tests.unit.cluster.loading import FULL, load

GIB = 2**30


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = load_settings(environ={}, cwd=tmp_path)
    assert settings == Settings()
    assert (settings.max_concurrent_runs, settings.when_full, settings.cpu_busy_percent) == (10, "queue", 80)
    assert (settings.reserve_memory, settings.retention, settings.grace) == (2 * GIB, 90 * 86400, 10)
    assert (settings.host, settings.port, settings.max_log_size) == ("127.0.0.1", 8300, GIB)
    assert settings.defaults == DefaultsSettings(num_cpus="auto", memory="auto", timeout=0.0)
    assert settings.source is None


def test_every_key_of_a_file_is_read_in_its_unit(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    assert settings.source == tmp_path / "runyard.toml"
    assert (settings.max_concurrent_runs, settings.when_full, settings.cpu_busy_percent) == (4, "reject", 0)
    assert (settings.reserve_memory, settings.retention, settings.grace) == (3 * GIB // 2, 1209600, 3)
    assert settings.defaults == DefaultsSettings(num_cpus=0.5, memory=512_000_000, timeout=5400)
    thumbnails = settings.modules["thumbnails"]
    assert (thumbnails.memory, thumbnails.gpu_memory, thumbnails.timeout) == (4 * GIB, 8 * GIB, 1800)
    assert settings.modules["video.cut"].command == ("ffmpeg", "-i", "")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, FULL)
    thumbnails = settings.modules["thumbnails"]
    assert (thumbnails.max_retries, thumbnails.retry_on_out_of_memory) == (1, 2)
    assert thumbnails.script == tmp_path / "modules" / "thumbnails.py"
    assert thumbnails.python == tmp_path / ".venv" / "bin" / "python"
    assert thumbnails.cwd == tmp_path / "work"
    assert settings.data.path == settings.data_dir == tmp_path / "data"
    assert settings.data.database == tmp_path / "state" / "runs.db"


def test_an_interpreter_s_bare_name_is_looked_up_unless_it_lies_beside(tmp_path: Path) -> None:
    text = '[modules.m]\nscript = "m.py"\npython = "{}"'
    assert load(tmp_path, text.format("no-such-python")).modules["m"].python == tmp_path / "no-such-python"
    found = load(tmp_path, text.format("sh")).modules["m"].python
    assert found is not None
    assert found.is_absolute()
    assert found.exists()
    (tmp_path / "sh").write_text("")
    assert load(tmp_path, text.format("sh")).modules["m"].python == tmp_path / "sh"


def test_an_interpreter_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    module = load(tmp_path, '[modules.m]\nscript = "m.py"\npython = "./python"').modules["m"]
    assert module.python == tmp_path / "python"


@pytest.mark.parametrize("text", ["", FULL])
def test_settings_survive_json(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text)
    again = Settings.model_validate(json.loads(json.dumps(settings.model_dump(mode="json"))))
    assert again == settings
    assert again.data == settings.data


def test_settings_cannot_be_changed_and_hide_environments(tmp_path: Path) -> None:
    settings = load(tmp_path, '[modules.m]\ncommand = ["true"]\nenv = { KEY = "hunter2" }')
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
    assert "hunter2" not in repr(settings)


def test_a_variable_goes_before_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        FULL,
        RUNYARD_MAX_CONCURRENT_RUNS="7",
        RUNYARD_RESERVE_MEMORY="3GiB",
        RUNYARD_DATA_DIR="elsewhere",
        RUNYARD_DEFAULTS_NUM_CPUS="2",
        RUNYARD_GRACE="1m",
    )
    assert (settings.max_concurrent_runs, settings.reserve_memory, settings.grace) == (7, 3 * GIB, 60)
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.defaults == DefaultsSettings(num_cpus=2, memory=512_000_000, timeout=5400)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("MAX_CONCURRENT_RUNS", "3", 3),
        ("WHEN_FULL", "reject", "reject"),
        ("CPU_BUSY_PERCENT", "55", 55),
        ("RESERVE_MEMORY", "1024", 1024),
        ("DATA_DIR", "/d", Path("/d")),
        ("DATABASE_URL", "sqlite:////d/x.db", "sqlite:////d/x.db"),
        ("RETENTION", "0", 0),
        ("RAY_ADDRESS", "host:6379", "host:6379"),
        ("GRACE", "1.5", 1.5),
        ("HOST", "10", "10"),
        ("PORT", "0", 0),
        ("MAX_LOG_SIZE", "1MiB", 2**20),
        ("ALLOWED_HOSTS", "a.example, b.example", ("a.example", "b.example")),
        ("ALLOWED_HOSTS", '["a.example"]', ("a.example",)),
        ("CHECK_FILES", "true", True),
        ("CHECK_FILES", "0", False),
        ("DEFAULTS", '{"num_cpus": "auto", "memory": "1k"}', DefaultsSettings(num_cpus="auto", memory=1024)),
        ("DEFAULTS_NUM_CPUS", ".5", DefaultsSettings(num_cpus=0.5)),
        ("DEFAULTS_NUM_CPUS", "auto", DefaultsSettings()),
        ("DEFAULTS_MEMORY", "auto", DefaultsSettings()),
        ("DEFAULTS_TIMEOUT", "1m", DefaultsSettings(timeout=60)),
        ("MODULES", '{"m": {"command": ["true"]}}', {"m": ModuleSettings(command=("true",))}),
    ],
)
def test_every_setting_has_a_variable(tmp_path: Path, name: str, text: str, value: object) -> None:
    settings = load(tmp_path, **{f"RUNYARD_{name}": text})
    key = next(k for k in Settings.model_fields if name.startswith(k.upper()))
    assert getattr(settings, key) == value


def test_an_empty_variable_does_not_count(tmp_path: Path) -> None:
    assert load(tmp_path, "port = 1", RUNYARD_PORT="", RUNYARD_DATA_DIR="").port == 1


@pytest.mark.parametrize(
    "name",
    ["RUN_ID", "ATTEMPT", "BATCH_ID", "REPORT", "NONCE", "URL", "TOKEN", "FAIL", "LOG_LEVEL", "WEB", "NODE"],
)
def test_what_runyard_says_to_modules_and_callers_is_no_setting(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, "port = 1", **{f"RUNYARD_{name}": "x"}).port == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"port = \n", r"is not valid TOML: .*line 1"),
        (b"a = 1\nport = 1 2\n", r"is not valid TOML: .*line 2"),
        (b"port = 1\nport = 2\n", r"is not valid TOML: .*line 2"),
        (b"\xff\xfe", r"is not UTF-8 \(byte 0\)"),
        (b"port = " + b"9" * 5000, r"is not valid TOML"),
        (b"x = " + b"[" * 100_000, r"is not valid TOML"),
        (b"data_dir = '~nobody-of-that-name/x'", r"~nobody-of-that-name/x: "),
    ],
    ids=range(7),
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "runyard.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        load_settings(path, environ={}, cwd=tmp_path)


def test_a_file_from_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "runyard.toml").write_bytes(b"\xef\xbb\xbfport = 9000\r\n")
    assert load_settings(environ={}, cwd=tmp_path).port == 9000


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: no such file"):
        load_settings(tmp_path / "gone.toml", environ={}, cwd=tmp_path)
    with pytest.raises(SettingsError, match=r"gone\.toml: no such file"):
        load_settings(environ={"RUNYARD_CONFIG": "gone.toml"}, cwd=tmp_path)


def test_a_folder_named_as_the_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "sub" / "runyard.toml").mkdir(parents=True)
    (tmp_path / "runyard.toml").write_text("port = 9000")
    assert load_settings(environ={}, cwd=tmp_path / "sub").port == 9000


def test_the_process_own_variables_count_only_when_no_others_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_PORT", "9001")
    (tmp_path / "runyard.toml").write_text("host = 'h'")
    assert load_settings(environ={}, cwd=tmp_path).port == 8300
    assert load_settings(cwd=tmp_path).port == 9001
    assert Settings().port == 8300


def test_reading_settings_imports_neither_ray_nor_the_machine() -> None:
    code = (
        "import runyard_cluster.settings, sys; print(sorted({'ray', 'psutil', 'pynvml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
