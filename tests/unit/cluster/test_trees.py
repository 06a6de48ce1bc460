"""Many trees are added up in one pass: each process once, at its nearest root, whatever the numbers say."""

from __future__ import annotations

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from runyard_cluster import process
from runyard_cluster.trees import ProcessRow, TreeUse, process_rows, tree_uses
from tests.support import python, wait_until


def test_each_tree_is_the_sum_of_what_hangs_below_its_root() -> None:
    rows = [
        ProcessRow(pid=1, parent=0, own=9.0, memory=900),
        ProcessRow(pid=10, parent=1, own=5.0, ended_children=0.5, memory=50),
        ProcessRow(pid=11, parent=10, own=1.0, ended_children=2.0, memory=100),
        ProcessRow(pid=12, parent=11, own=3.0, memory=200),
        ProcessRow(pid=20, parent=1, own=7.0, memory=70),
    ]
    assert tree_uses([10, 20, 99], rows) == {
        10: TreeUse(cpu_seconds=6.5, memory=300, pids=frozenset({11, 12})),
        20: TreeUse(cpu_seconds=0.0, memory=0, pids=frozenset()),
        99: TreeUse(),
    }


def test_a_root_within_another_tree_has_its_own_processes() -> None:
    rows = [ProcessRow(pid=i, parent=i - 1, own=1.0, memory=i) for i in range(1, 6)]
    found = tree_uses([1, 3], rows)
    assert (found[1].pids, found[3].pids) == (frozenset({2}), frozenset({4, 5}))


@given(st.dictionaries(st.integers(1, 12), st.integers(0, 12), max_size=12), st.sets(st.integers(1, 12)))
def test_whatever_the_parents_are_no_process_counts_twice(parents: dict[int, int], roots: set[int]) -> None:
    rows = [ProcessRow(pid=pid, parent=up, own=1.0, memory=1) for pid, up in parents.items()]
    found = tree_uses(roots, rows)
    counted = [pid for use in found.values() for pid in use.pids]
    assert len(counted) == len(set(counted))
    assert not set(counted) & roots
    assert all(use.memory == len(use.pids) for use in found.values())


def test_a_real_tree_is_found_with_its_memory_and_its_time() -> None:
    code = (
        "import os, time\nx = b'x' * 30_000_000\nos.fork()\n"
        "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
        "print(flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as root:
        assert root.stdout is not None
        root.stdout.readline()
        root.stdout.readline()
        use = tree_uses([root.pid], process_rows())[root.pid]
        assert use.pids == frozenset(process.tree([root.pid]))
        assert use.memory > 20_000_000
        assert use.cpu_seconds >= 0.1
        process.kill_pids([root.pid, *use.pids])


def test_the_time_of_children_that_ended_stays_with_their_parent() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-I', '-S', '-c', {burn!r}])\n"
        "print(flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        if sys.platform == "linux":
            wait_until(lambda: _below_us(child.pid).cpu_seconds >= 0.25, 10, "the time is added")
        process.kill_pids([child.pid])


def _below_us(pid: int) -> TreeUse:
    rows = process_rows()
    assert os.getpid() in {row.pid for row in rows}
    return tree_uses([os.getpid()], [row for row in rows if row.pid in (pid, os.getpid())])[os.getpid()]
