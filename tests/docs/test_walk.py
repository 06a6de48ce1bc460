"""The way from nothing to two machines, as OPERATIONS.md has it: its own commands, typed one after the other.

The machines are namespaces: each has an address, a home and a place for Ray's files of its own. What `pip` would fetch
is here already, so it is told to fetch nothing, and is lent that.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.in_network import in_network
from tests.support import wait_until
from tests.wire import Network, network

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: What a newcomer has to put in place of the example's address.
ADDRESS = "10.0.0.1"
MARK = "RY_WALK"
#: For pip and the build of the package; the third one means the opposite of what it says, pip's own oddity.
FETCH_NOTHING = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "RUNYARD_WEB": "skip",
}
#: Ray gives up on a machine that is slow to start after 30 seconds; here it may be busy.
PATIENCE = {"RAY_raylet_start_wait_time_s": "300"}


def walk() -> list[tuple[str, list[str]]]:
    """Return whom each block is for, by the words before it, and its commands."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text("utf-8")
    section = text.partition("### From nothing to two machines\n")[2].partition(
        "\nSo that all of it is there"
    )[0]
    found, before = [], 0
    for block in BLOCK.finditer(section):
        (whom,) = re.findall(
            r"\*\*(On both|On the first one|On the other one)\*\*", section[before : block.start()]
        )
        found.append((whom, [line.removeprefix("$ ") for line in block[1].splitlines()]))
        before = block.end()
    return found


class Machine:
    """A shell that somebody types into."""

    def __init__(self, name: str, inside: list[str], folder: Path) -> None:
        self.name = name
        self.home = folder / name / "home"
        rays = folder / name / "ray"
        for path in (self.home, rays):
            path.mkdir(parents=True)
        # All machines have their user's home, and Ray's files, at the same path, each those of its own.
        shared = folder / "home"
        mounts = f"mount --bind {self.home} {shared} && mount --bind {rays} /tmp/ray && exec "
        self.inside = [*inside, "unshare", "--mount", "sh", "-c", f'{mounts} "$@"', "sh"]
        environ = {
            k: v for k, v in os.environ.items() if not k.startswith(("RUNYARD_", "RAY_", "PYTHON", "VIRTUAL"))
        }
        self.environ = environ | {"HOME": str(shared), MARK: str(folder), **FETCH_NOTHING, **PATIENCE}
        self.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{environ['PATH']}"
        self._shell = subprocess.Popen(
            [*self.inside, "bash"],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, line: str) -> str:
        """Return what a command prints; it has to succeed."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f"{{ {line}\n}} < /dev/null; code=$?; echo; echo @@ $code\n")
        self._shell.stdin.flush()
        said = ""
        for out in self._shell.stdout:
            if out.startswith("@@ "):
                assert out == "@@ 0\n", f"{line}\n{said}"
                return said
            said += out
        raise AssertionError(f"the shell is gone after {line}\n{said}")

    def leave(self) -> None:
        """Close the shell."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait(30)
        self._shell.stdout.close()


@contextmanager
def two_machines(folder: Path, wire: Network) -> Iterator[tuple[Machine, Machine]]:
    """Lend two machines; the first one gets to the other by `ssh`."""
    (folder / "bin").mkdir()
    (folder / "home").mkdir()
    Path("/tmp/ray").mkdir(exist_ok=True)
    machines = Machine("ws1", [], folder), Machine("ws2", wire.inside(2), folder)
    to_other = shlex.join(machines[1].inside)
    for name, script in {
        "ssh": f'shift; exec {to_other} sh -c "$*"',
        "scp": f'cp -r "$2" {machines[1].home}',
        "python3": f'exec {shlex.quote(sys.executable)} "$@"',
    }.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    try:
        yield machines
    finally:
        for machine in machines:
            machine.leave()
        for process in _started(folder):
            process.kill()
        wait_until(lambda: not _started(folder), 60, "nothing of it is left")


def _started(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _bring_ray(machine: Machine) -> None:
    """Have what comes along with runyard: its packages, and Ray's command."""
    (scripts,) = machine.home.glob("yard/bin")
    (packages,) = scripts.parent.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    ray = scripts / "ray"
    python = (scripts / "runyard").read_text().splitlines()[0]
    ray.write_text(f"{python}\nimport sys\nfrom ray.scripts.scripts import main\nsys.exit(main())\n")
    ray.chmod(0o755)


@pytest.mark.timeout(900)
@in_network
def test_who_types_what_operations_says_has_a_yard_of_two_machines(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("print('shipped')\n")
    with network(2) as wire, two_machines(tmp_path, wire) as (first, other):
        first.type(f"cd {ROOT}")
        said: dict[str, str] = {}
        for whom, lines in walk():
            for machine in {"On both": (first, other), "On the first one": (first,)}.get(whom, (other,)):
                for line in lines:
                    said[line] = machine.type(line.replace(ADDRESS, wire.address(1)))
                    print(f"{machine.name}$ {line}\n{said[line]}")
                    if "pip install" in line:
                        _bring_ray(machine)
            # Its package is built from a checkout; what it runs is code of one's own.
            first.type(f"cd {code}")
        # Then both are there, and what was to run on the other one did
        assert "runyard resources" in said
        wait_until(lambda: "ws2\n" in first.type("runyard resources"), 60, "both machines are there")
        shipped = next(words for line, words in said.items() if "--code ship" in line)
        assert "shipped" in shipped
        runs = json.loads(first.type("runyard history --json"))["runs"]
        assert [(run["node"], run["status"]) for run in runs] == [("ws2", "completed")] * 2
        first.type("runyard down")
