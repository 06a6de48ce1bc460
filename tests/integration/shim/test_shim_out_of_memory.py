"""What the kernel kills for want of memory is told apart from what anybody else kills."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard_actors.assignment import Assignment
from runyard_actors.run import Outcome, Reason
from runyard_cluster import process
from tests.one_agent import OneAgent

LIMIT = 60 << 20
EATER = "b = b'x' * (200 << 20)"
#: Where control groups of memory are made, and the files of one that limit it: of the first and the second kind.
GROUPS = (
    ("/sys/fs/cgroup/memory", {"memory.limit_in_bytes": LIMIT}),
    ("/sys/fs/cgroup", {"memory.max": LIMIT, "memory.swap.max": 0}),
)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of 60 MiB; the test is left out where none can be made."""
    for root, limits in GROUPS:
        found = Path(root, "runyard-test")
        try:
            found.mkdir()
        except OSError:
            continue
        try:
            for name, value in limits.items():
                (found / name).write_text(str(value))
            yield found
            return
        except OSError:
            continue
        finally:
            found.rmdir()
    pytest.skip("needs the right to make a control group of memory")


def kept(assignment: Assignment) -> Outcome:
    with OneAgent() as agent:
        return agent.keep(assignment)[0]


def ended(folder: Path, script: str) -> Outcome:
    return kept(
        Assignment(
            run_id="r",
            attempt=1,
            nonce=folder.name,
            boot_id=process.boot_id(),
            folder=str(folder),
            command=("sh", "-c", script),
            cwd="/",
            batch_id=None,
            env={},
            cpu_milli=1000,
            memory_bytes=0,
            gpu_ids=(),
            timeout_seconds=30,
            grace_seconds=1,
            max_log_bytes=1 << 20,
            max_processes=0,
        )
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux counts these kills")
@pytest.mark.parametrize("wait", ["", "sleep 2.5; "])
def test_the_kernels_kill_is_out_of_memory_with_its_signal_or_its_shells_exit_code(
    group: Path, tmp_path: Path, wait: str
) -> None:
    (tmp_path / "eater.py").write_text(EATER)
    eat = f"echo $$ > {group}/cgroup.procs; exec {sys.executable} {tmp_path}/eater.py"
    itself = ended(tmp_path / "itself", wait + eat)
    shell = ended(tmp_path / "shell", f"{wait} sh -c '{eat}'; exit $?")
    assert (itself.reason, itself.exit_code, itself.signal) == (Reason.OUT_OF_MEMORY, None, 9)
    assert (shell.reason, shell.exit_code, shell.signal) == (Reason.OUT_OF_MEMORY, 137, None)
    assert itself.ended_by == shell.ended_by == "kernel"
