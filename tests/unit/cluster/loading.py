"""Settings from a text, as a file would hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard_cluster.errors import SettingsError
from runyard_cluster.settings import Settings, load_settings

FULL = """
max_concurrent_runs = 4
when_full = "reject"
cpu_busy_percent = 0
reserve_memory = "1.5g"
data_dir = "data"
database_url = "sqlite:///state/runs.db"
retention = "2w"
ray_address = "auto"
grace = 3
host = "::1"
port = 9000
max_log_size = 1000
allowed_hosts = ["yard.example"]
check_files = true
[defaults]
num_cpus = 0.5
memory = "512MB"
timeout = "1h30m"
[modules.thumbnails]
name = "Thumbnails"
script = "modules/thumbnails.py"
python = ".venv/bin/python"
cwd = "work"
num_cpus = 1
num_gpus = 0.25
memory = "4GiB"
gpu_memory = "8GiB"
timeout = "30m"
priority = -5
labels = { team = "vision", empty = "" }
max_concurrent = 2
max_retries = 1
retry_on_out_of_memory = 2
env = { OMP_NUM_THREADS = "2" }
warm = true
preload = ["numpy"]
[modules."video.cut"]
command = ["ffmpeg", "-i", ""]
num_cpus = "auto"
memory = "auto"
"""


def load(folder: Path, text: str = "", **variables: str) -> Settings:
    (folder / "runyard.toml").write_text(text)
    return load_settings(folder / "runyard.toml", environ=variables, cwd=folder)


def problem(folder: Path, text: str = "", **variables: str) -> str:
    """Return the message of the only problem there is."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text, **variables)
    assert len(caught.value.details) == 1, caught.value.details
    assert caught.value.details[0]["message"] == str(caught.value)
    return str(caught.value)
