"""`runyard batch --resume`, the command itself against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.in_process import InProcess, in_process

CODE = "import pathlib, sys; sys.exit(0 if pathlib.Path(sys.argv[1]).exists() else 3)"


def batch(server: InProcess, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "RUNYARD_URL": server.url, "RUNYARD_TOKEN": server.token}
    command = [sys.executable, "-m", "runyard", "batch", "work.json", "--resume", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=50)


def test_only_what_has_not_completed_runs_again(tmp_path: Path) -> None:
    # Given two rows of which one fails
    rows = [{"command": [sys.executable, "-c", CODE, name], "name": name} for name in ("work.json", "later")]
    (tmp_path / "work.json").write_text(json.dumps([*rows, {"command": ["true"], "after": [0]}]))
    with in_process(tmp_path) as server:
        first = batch(server, tmp_path)
        assert first.returncode == 1, first.stderr
        # When the reason is gone and the same file is resumed
        (tmp_path / "later").touch()
        plan = batch(server, tmp_path, "--dry-run", "--json")
        assert [run["name"] for run in json.loads(plan.stdout)["runs"]] == ["later"]
        second = batch(server, tmp_path)
        # Then only what failed runs, and after it nothing is left
        assert second.returncode == 0, second.stderr
        assert "2 runs left out" in second.stderr
        third = batch(server, tmp_path)
        assert (third.returncode, third.stdout) == (0, "nothing is left to do: all completed before\n")
        with server.http() as client:
            assert client.get("/api/runs", params={"limit": 1}).json()["total"] == 4
