"""F17: a joined Ray that kills by itself when memory is short is found, and told of with what switches it off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runyard.cli.health_watch import ray_memory_monitor
from runyard_cluster.ray_head import ray_environment
from runyard_cluster.ray_monitor import VARIABLE, is_on, warning, with_monitor
from tests.in_process import in_process
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a program of another name is a copy there")


@contextmanager
def raylet(folder: Path, **variables: str) -> Iterator[int]:
    """Run a process that looks like Ray's node process, with these variables."""
    program = folder / "raylet"
    if not program.exists():
        shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    environ = {k: v for k, v in os.environ.items() if k != VARIABLE} | variables
    with subprocess.Popen([program, "300"], env=environ) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_the_ray_that_runyard_starts_has_it_off(tmp_path: Path) -> None:
    assert not is_on(ray_environment(tmp_path))


@pytest.mark.parametrize("variables", [{}, {VARIABLE: "250"}])
def test_a_joined_ray_that_has_it_on_is_told_by_doctor_and_by_the_server(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    config = tmp_path / "runyard.toml"
    config.write_text(f'ray_address = "auto"\ndata_dir = "{tmp_path.as_posix()}/doctor"\n')
    with raylet(tmp_path, **variables) as pid:
        wait_until(lambda: pid in with_monitor(), 10, "it is found")
        fact = ray_memory_monitor(config)
        assert fact.state == "limited"
        assert str(pid) in fact.detail and f"{VARIABLE}=0" in fact.detail
        with in_process(tmp_path, ray_address="auto") as server, server.http() as http:
            warnings = wait_until(
                lambda: http.get("/api/resources").json()["nodes"][0]["warnings"], 10, "it is told"
            )
            assert any(str(pid) in words for words in warnings)


def test_a_joined_ray_that_has_it_off_is_good(tmp_path: Path) -> None:
    with raylet(tmp_path, **{VARIABLE: "0"}) as pid:
        assert pid not in with_monitor()
        assert str(pid) not in (warning() or "")


def test_with_a_ray_of_our_own_others_do_not_matter(tmp_path: Path) -> None:
    config = tmp_path / "runyard.toml"
    config.write_text(f'data_dir = "{tmp_path.as_posix()}/doctor"\n')
    with raylet(tmp_path):
        assert ray_memory_monitor(config).state == "good"
