"""The recipes for services keep what they promise: runs go on when the server ends, and a crash is not the end."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from ray.scripts.scripts import start

from runyard.cli.exit_code import MISUSED, code_of_error
from runyard.cli.main import cli
from runyard.server.up import LEAVE_SECONDS
from runyard_cluster.errors import SettingsError

CLUSTER = Path(__file__).parents[2] / "cluster"
UNIT = CLUSTER / "systemd" / "runyard.service"
NODE = CLUSTER / "systemd" / "runyard-node.service"
AGENT = CLUSTER / "launchd" / "dev.runyard.plist"
SCHEDULED = CLUSTER / "windows" / "runyard-service.ps1"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    return read_unit(UNIT)


def read_unit(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=True)
    found.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep upper case
    found.read_string(path.read_text("utf-8"))
    return found


@pytest.fixture
def agent() -> dict[str, object]:
    return plistlib.loads(AGENT.read_bytes())


def test_systemd_ends_the_server_and_no_run(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    assert service.getint("TimeoutStopSec") > LEAVE_SECONDS


def test_systemd_starts_it_again_after_a_crash_only(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["Type"] == "exec"
    assert service["Restart"] == "on-failure"
    assert service.getint("RestartPreventExitStatus") == code_of_error(SettingsError("wrong")) == MISUSED
    assert unit["Install"]["WantedBy"] == "default.target"


def test_a_node_is_started_again_however_its_ray_ended_and_its_runs_go_on_meanwhile() -> None:
    service = read_unit(NODE)["Service"]
    assert service["KillMode"] == "process"
    assert service["Restart"] == "always"
    assert service["OOMPolicy"] == "continue"
    known = {option for parameter in start.params for option in (*parameter.opts, *parameter.secondary_opts)}
    words = service["ExecStart"].split()
    assert words[1] == "start"
    assert {word.partition("=")[0] for word in words[2:]} <= known
    assert "--block" in words, "what systemd watches has to stay"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("path", [UNIT, NODE], ids=lambda path: path.name)
def test_systemd_understands_all_of_the_unit(path: Path, tmp_path: Path) -> None:
    # The program has to be there for it, so another one stands in for it.
    text = re.sub(
        r"^ExecStart=\S+", f"ExecStart={sys.executable}", path.read_text("utf-8"), flags=re.MULTILINE
    )
    (tmp_path / path.name).write_text(text)
    verify = ["systemd-analyze", "--user", "--man=no", "verify", str(tmp_path / path.name)]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(verify, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert path.name not in done.stderr


def test_launchd_ends_the_server_and_no_run(agent: dict[str, object]) -> None:
    assert agent["AbandonProcessGroup"] is True
    assert isinstance(agent["ExitTimeOut"], int)
    assert agent["ExitTimeOut"] > LEAVE_SECONDS


def test_launchd_starts_it_again_after_a_crash_only(agent: dict[str, object]) -> None:
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["RunAtLoad"] is True
    assert f"{agent['Label']}.plist" == AGENT.name


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a POSIX shell")
def test_launchd_has_the_server_itself_as_its_child(agent: dict[str, object], tmp_path: Path) -> None:
    # Given a program in the server's place that tells its own number
    program = tmp_path / ".local" / "bin" / "runyard"
    log = tmp_path / "Library" / "Logs" / "runyard.log"
    for path in (program, log):
        path.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$$ $*"\n')
    program.chmod(0o755)
    # When the agent's arguments are started
    arguments = agent["ProgramArguments"]
    assert isinstance(arguments, list)
    with subprocess.Popen(arguments, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}) as started:
        assert started.wait(30) == 0
    # Then signals for the agent reach it
    assert log.read_text() == f"{started.pid} up\n"


def test_the_scheduled_task_serves_for_ever_at_normal_priority() -> None:
    text = SCHEDULED.read_text("ascii")
    assert "ExecutionTimeLimit         = [TimeSpan]::Zero" in text
    assert "Priority                   = 5" in text
    assert re.search(r"RestartCount +\s*= 255\b", text), "the most that a task takes"
    assert f"until ($code -in 0, {MISUSED})" in text


def test_all_of_them_call_verbs_that_there_are() -> None:
    verbs = set(cli.list_commands(click.Context(cli)))
    for recipe in (UNIT, AGENT, SCHEDULED):
        text = recipe.read_text("utf-8")
        called = set(re.findall(r"(?:bin/runyard\"?|& \$Program) (\w+)", text))
        assert "up" in called
        assert called <= verbs
