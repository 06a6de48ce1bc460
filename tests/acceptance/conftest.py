"""The installed wheel, used through its command line alone: without a server, with one, and with a cluster behind it.

    python -m pytest tests/acceptance -m ""

runs everything in all three ways; without `-m ""` it is the first one, in which a command that needs a server starts an
embedded one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.ray_cluster import ray_cluster
from tests.support import processes_naming, wait_until

#: What the commands meet: nothing, a server, or a server that has joined a Ray of two nodes.
MODES = (
    "embedded",
    pytest.param("server", marks=pytest.mark.long),
    pytest.param("cluster", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
)
#: The cluster's second node, and what each of its nodes offers.
SECOND, CPUS = "ws2", 2
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
    mode: str

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

    def up(self) -> None:
        """Start a server in the background, unless one is up."""
        if not (self.folder / "data" / "server.json").exists():
            done = self.run("up", "--detach", "--port", "0")
            assert done.returncode == 0, done.stdout + done.stderr

    def nodes(self) -> set[str]:
        """Return the nodes on which runs may start."""
        told = json.loads(self.run("resources", "--json").stdout)["nodes"]
        return {node["node"] for node in told if node["guard"] is None}


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


@pytest.fixture(scope="module", params=MODES)
def shell(request: pytest.FixtureRequest, installed: Installed) -> Iterator[Shell]:
    """A shell whose data folder is fresh, and of whose server nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="ry-", dir="/tmp" if os.name == "posix" else None))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        address = (
            stack.enter_context(_two_nodes(installed, folder)) if request.param == "cluster" else "local"
        )
        (folder / "runyard.toml").write_text(
            f'data_dir = "{(folder / "data").as_posix()}"\ncpu_busy_percent = 0\ngrace = "2s"\n'
            f'ray_address = "{address}"\n'
        )
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("RUNYARD_", "PYTHONPATH"))}
        shell = Shell(installed, folder, environ, request.param)
        stack.callback(_leave_nothing, shell)
        if shell.mode != "embedded":
            shell.up()
        if shell.mode == "cluster":
            wait_until(lambda: len(shell.nodes()) == 2, 120, "both nodes are there")
        yield shell


@contextmanager
def _two_nodes(installed: Installed, folder: Path) -> Iterator[str]:
    """Have a Ray of two nodes, which keep what runs print in folders of their own; return its address."""
    if sys.platform != "linux":
        pytest.skip("several nodes of Ray on one machine need Linux")
    with ray_cluster(head_cpus=CPUS, python=installed.python) as cluster:
        cluster.start_node(SECOND, cpus=CPUS, RUNYARD_DATA_DIR=str(folder / SECOND))
        yield cluster.gcs


def _leave_nothing(shell: Shell) -> None:
    shell.run("down", "--cancel")
    wait_until(lambda: not processes_naming(str(shell.folder)), 60, "nothing of the server is left")
