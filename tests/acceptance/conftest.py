"""The installed wheel, used through its command line alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import processes_naming, wait_until

ROOT = Path(__file__).parents[2]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it."""

    scripts: Path

    @property
    def runyard(self) -> str:
        """The command."""
        return str(self.scripts / "runyard")

    @property
    def python(self) -> str:
        """The interpreter."""
        return str(self.scripts / "python")


@dataclass(frozen=True)
class Shell:
    """Runs commands against a data folder of its own."""

    installed: Installed
    folder: Path
    environ: dict[str, str] = field(repr=False)

    def start(self, *args: str, **options: object) -> subprocess.Popen[str]:
        """Start `runyard ARGS`."""
        return subprocess.Popen(
            [self.installed.runyard, *args],
            env=self.environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *args: str, limit: float = 150) -> subprocess.CompletedProcess[str]:
        """Run `runyard ARGS` to its end."""
        with self.start(*args) as process:
            out, err = process.communicate(timeout=limit)
        return subprocess.CompletedProcess(args, process.returncode, out, err)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it beside the dependencies that are here already."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    wheel = next(folder.glob("runyard-*.whl"))
    venv.create(folder / "venv", with_pip=False, symlinks=os.name != "nt")
    scripts = folder / "venv" / SCRIPTS
    interpreter = str(scripts / "python")
    subprocess.run([*pip, "--python", interpreter, "install", "--no-deps", str(wheel)], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = subprocess.run(
        [interpreter, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(scripts)


@pytest.fixture(scope="module")
def shell(installed: Installed) -> Iterator[Shell]:
    """A shell whose data folder is fresh, and of whose server nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="ry-", dir="/tmp" if os.name == "posix" else None))
    config = folder / "runyard.toml"
    config.write_text(f'data_dir = "{(folder / "data").as_posix()}"\ncpu_busy_percent = 0\ngrace = "2s"\n')
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("RUNYARD_", "PYTHONPATH"))}
    shell = Shell(installed, folder, environ)
    try:
        yield shell
    finally:
        shell.run("down", "--cancel")
        wait_until(lambda: not processes_naming(str(folder)), 60, "nothing of the server is left")
        shutil.rmtree(folder, ignore_errors=True)
