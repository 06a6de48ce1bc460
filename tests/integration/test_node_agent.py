"""The node agent: starts attempts through its spawner, and loses none when anything of that dies."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard_actors.assignment import Assignment, Started, shim_spec
from runyard_actors.module_environment import node_environment
from runyard_actors.node_agent import NodeAgent
from runyard_actors.run import Outcome
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import IMPORT_ROOTS, launch
from runyard_cluster import process
from tests.one_agent import OneAgent, ignore
from tests.support import python, wait_until

#: Prints what a process finds when it starts: all that the way of starting it could leave behind.
PROBE = """
import json, os, signal, sys
mask = os.umask(0)
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "umask": mask, "environment": dict(sorted(os.environ.items())),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "ignored": sorted(n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN),
    "leads its session": os.getsid(0) == os.getpid() == os.getpgrp(),
    "descriptors": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1],
    "standard input": os.readlink("/proc/self/fd/0"), "is a terminal": os.isatty(1),
    "nice": os.nice(0), "memory score": open("/proc/self/oom_score_adj").read(),
}))
"""


@pytest.fixture
def agent() -> Iterator[OneAgent]:
    """A node agent that is closed afterwards, its spawner too."""
    before = set(spawners())
    with OneAgent() as agent:
        yield agent
    wait_until(lambda: set(spawners()) <= before, 10, "the spawner has ended")


def spawners() -> list[psutil.Process]:
    """Return the spawners of this checkout; others may have some of their own."""
    found = psutil.process_iter(["name", "cmdline"])
    return [
        p
        for p in found
        if p.info["name"] == "runyard-spawner" and IMPORT_ROOTS[0] in (p.info["cmdline"] or [])
    ]


def assignment(folder: Path, *command: str, **more: Any) -> Assignment:
    return Assignment(
        **{
            "run_id": folder.name,
            "attempt": 1,
            "nonce": folder.name,
            "boot_id": process.boot_id(),
            "folder": str(folder),
            "command": command,
            "cwd": "/",
            "batch_id": None,
            "env": {},
            "cpu_milli": 1000,
            "memory_bytes": 0,
            "gpu_ids": (),
            "timeout_seconds": 60,
            "grace_seconds": 1,
            "max_log_bytes": 1 << 20,
            "max_processes": 0,
            **more,
        }
    )


def test_fifty_at_once_each_end_with_their_own_code_and_log(agent: OneAgent, tmp_path: Path) -> None:
    wanted = [assignment(tmp_path / str(i), "sh", "-c", f"echo {i}; exit {i}") for i in range(50)]
    assert [outcome.exit_code for outcome in agent.keep(*wanted)] == list(range(50))
    assert [RunFolder(tmp_path / str(i)).log_file.read_text() for i in range(50)] == [
        f"{i}\n" for i in range(50)
    ]


def test_a_run_outlives_the_spawner_and_later_runs_get_another(agent: OneAgent, tmp_path: Path) -> None:
    before = set(spawners())
    marker = tmp_path / "go"
    waits = assignment(tmp_path / "a", "sh", "-c", f"until [ -e {marker} ]; do sleep 0.05; done; exit 7")

    async def work() -> tuple[Outcome, Outcome]:
        is_started = asyncio.Event()
        first = asyncio.create_task(agent.agent.keep(waits, lambda _: is_started.set()))
        await is_started.wait()
        for spawner in set(spawners()) - before:
            spawner.kill()
            spawner.wait(5)
        second = await agent.agent.keep(assignment(tmp_path / "b", "true"), ignore)
        marker.touch()
        return await first, second

    first, second = agent.run(work())
    assert (first.exit_code, second.exit_code) == (7, 0)


def test_another_agent_finds_the_run_and_its_true_end(agent: OneAgent, tmp_path: Path) -> None:
    marker = tmp_path / "go"
    waits = assignment(tmp_path / "a", "sh", "-c", f"until [ -e {marker} ]; do sleep 0.05; done; exit 7")
    successor = NodeAgent()

    async def work() -> tuple[Outcome, list[int]]:
        pids: list[int] = []
        is_started = asyncio.Event()

        def note(started: Started) -> None:
            pids.append(started.pid)
            is_started.set()

        first = asyncio.create_task(agent.agent.keep(waits, note))
        await is_started.wait()
        first.cancel()
        is_started.clear()
        second = asyncio.create_task(successor.keep(waits, note))
        await is_started.wait()
        marker.touch()
        try:
            return await second, pids
        finally:
            successor.close()

    outcome, pids = agent.run(work())
    assert outcome.exit_code == 7
    assert pids[0] == pids[1]


@pytest.mark.parametrize("point", ["spawner.before_fork:kill", "spawner.before_fork:raise"])
def test_without_a_spawner_that_lives_a_shim_is_started_all_the_same(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_FAIL", point)
    with OneAgent() as agent:
        (outcome,) = agent.keep(assignment(tmp_path / "a", "sh", "-c", "exit 3"))
    assert outcome.exit_code == 3


def test_a_large_command_and_environment_arrive_whole(agent: OneAgent, tmp_path: Path) -> None:
    wanted = assignment(
        tmp_path / "a",
        *python("import os, sys; print(len(sys.argv), len(''.join(sys.argv[1:])), len(os.environ['LARGE']))"),
        *["x" * 1000] * 900,
        env={"LARGE": "y" * 100_000},
    )
    agent.keep(wanted)
    assert RunFolder(tmp_path / "a").log_file.read_text().split() == ["901", "900000", "100000"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_module_finds_the_same_however_its_shim_was_started(agent: OneAgent, tmp_path: Path) -> None:
    agent.keep(assignment(tmp_path / "forked", *python(PROBE)))
    folder = RunFolder(tmp_path / "new")
    folder.create()
    folder.write_spec(
        shim_spec(assignment(folder.path, *python(PROBE)), folder, node_environment(os.environ)).to_json()
    )
    launch(folder)
    folder.wait_end()
    forked, new = (_found(RunFolder(tmp_path / name)) for name in ("forked", "new"))
    assert forked == new
    assert forked["leads its session"]
    assert forked["descriptors"] == [0, 1, 2]


def _found(folder: RunFolder) -> dict[str, Any]:
    text = folder.log_file.read_text().replace(str(folder.path), "FOLDER").replace(folder.path.name, "NAME")
    found: dict[str, Any] = json.loads(text)
    # It changes while a test goes on.
    found["environment"].pop("PYTEST_CURRENT_TEST", None)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_of_a_run_is_left_open_in_agent_or_shim(agent: OneAgent, tmp_path: Path) -> None:
    shims: list[Started] = []
    for i in range(20):
        agent.keep(assignment(tmp_path / str(i), "true"), tell=shims.append)
        if i == 0:
            before = descriptors(os.getpid()), descriptors(shims[0].shim_pid)
    assert {started.shim_pid for started in shims} == {shims[0].shim_pid}, (
        "one shim owned all of them in turn"
    )
    assert (descriptors(os.getpid()), descriptors(shims[0].shim_pid)) == before


def test_runs_of_one_shim_see_nothing_of_each_other(agent: OneAgent, tmp_path: Path) -> None:
    first = assignment(
        tmp_path / "one before", *python("import os; print(os.getcwd())"), env={"A": "1"}, timeout_seconds=9
    )
    second = assignment(tmp_path / "one after", *python(PROBE))
    agent.keep(first)
    agent.keep(second)
    with OneAgent() as fresh:
        fresh.keep(assignment(tmp_path / "one alone", *python(PROBE)))
    assert _found(RunFolder(tmp_path / "one after")) == _found(RunFolder(tmp_path / "one alone"))


def test_a_shim_that_dies_between_two_runs_is_replaced(agent: OneAgent, tmp_path: Path) -> None:
    shims: list[Started] = []
    agent.keep(assignment(tmp_path / "a", "true"), tell=shims.append)
    idle = psutil.Process(shims[0].shim_pid)
    idle.kill()
    wait_until(lambda: not idle.is_running() or idle.status() == "zombie", 5, "it is dead")
    assert agent.keep(assignment(tmp_path / "b", "sh", "-c", "exit 4"), tell=shims.append)[0].exit_code == 4
    assert shims[1].shim_pid != shims[0].shim_pid


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="orphans come to the spawner on Linux only")
def test_what_a_killed_shim_leaves_is_ended_though_nobody_else_lives(agent: OneAgent, tmp_path: Path) -> None:
    notes = tmp_path / "pids"
    daemon = f"echo $$ >> {notes}; setsid sh -c 'echo $$ >> {notes}; exec sleep 300' & wait"
    going = assignment(tmp_path / "a", "sh", "-c", daemon)
    shims: list[Started] = []

    async def start() -> None:
        is_started = asyncio.Event()

        def note(started: Started) -> None:
            shims.append(started)
            is_started.set()

        kept = asyncio.create_task(agent.agent.keep(going, note))
        await is_started.wait()
        kept.cancel()

    agent.run(start())
    wait_until(lambda: notes.exists() and len(notes.read_text().split()) == 2, 10, "both are up")
    left = [psutil.Process(int(pid)) for pid in notes.read_text().split()]
    agent.close()
    assert all(process.is_running() for process in left)
    psutil.Process(shims[0].shim_pid).kill()
    gone, alive = psutil.wait_procs(left, 10)
    assert not alive
    assert len(gone) == 2


def test_a_folder_that_cannot_be_made_is_told_of_and_noted_nowhere_else(
    agent: OneAgent, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    wanted = replace(assignment(tmp_path / "a file" / "a", "true"), is_new=True)
    before = set(Path("/").iterdir())
    (outcome,) = agent.keep(wanted)
    assert outcome.reason == "start_error"
    assert "the run's folder cannot be used" in str(outcome.reason_detail)
    assert set(Path("/").iterdir()) == before
    assert agent.keep(assignment(tmp_path / "b", "true"))[0].exit_code == 0
