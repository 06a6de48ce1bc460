"""A module that starts warm does the same as one that starts cold, only sooner."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.assignment import Assignment
from runyard_actors.attempt_file import COOKIE
from runyard_actors.run import Outcome
from runyard_actors.run_folder import RunFolder
from runyard_cluster.process import process_start_time
from tests.integration.test_node_agent import PROBE, assignment
from tests.one_agent import OneAgent, ignore
from tests.support import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process can be copied here")

#: Programs whose whole output, exit code and signal are the same either way.
PROGRAMS = {
    "what a process finds": PROBE,
    "arguments and names": "import sys; print(sys.argv, __name__, __file__, __spec__, __doc__, sys.path[0])",
    "nothing of ours": "import sys; print([n for n in sys.modules if n.startswith('runyard')])",
    "what it leaves open": "import sys; sys.stdout = open(sys.stdout.fileno(), 'w', closefd=False); print(5)",
    "a hole among the modules": "import sys; sys.modules['numpy'] = None; print('numpy' in sys.modules)",
    "no module of its own": "import sys; del sys.modules['__main__']; print('gone')",
    "an import beside it": "import neighbour; print(neighbour.VALUE)",
    "streams": "import sys; print([(s.name, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, "
    "type(s.buffer).__name__) for s in (sys.stdout, sys.stderr, sys.__stdout__)])",
    "an error": "def f():\n    raise ValueError('no')\nf()",
    "a syntax error": "print('never')\nthis is no Python",
    "an exit code": "import sys; sys.exit(7)",
    "words at the exit": "import sys; sys.exit('that was all')",
    "output without an end of line": "import sys; sys.stdout.write('a'); sys.stderr.write('b')",
    "what is left to do at the end": "import atexit; atexit.register(print, 'last'); print('first')",
    "threads are waited for": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()",
    "its own signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "an interrupt": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
    "a broken pipe": "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')",
    "children": "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(5)'], "
    "capture_output=True, check=True).stdout)",
    "copies": "import os, sys\npid = os.fork()\nif pid:\n    print(os.waitpid(pid, 0)[1] >> 8)\nelse:\n    os._exit(4)",
    "classes travel": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)",
    "processes of its own": "import multiprocessing as m\ndef f(x): return x * x\n"
    "if __name__ == '__main__':\n    with m.get_context('spawn').Pool(1) as p: print(p.map(f, [1, 2, 3]))",
    "its environment": "import os; print(os.environ['OWN'], os.getenv('HOME'), len(os.environ))",
    "collection is on": "import gc; print(gc.isenabled())",
    "a file that nobody closed": "import sys\nf = open('left', 'w')\nf.write('all')\n"
    "import atexit, os; atexit.register(lambda: print(os.path.getsize('left')))",
    "objects hear of the end": "class A:\n    def __del__(self): print('gone')\na = A()\nb = A(); b.b = b",
    "an error at the end": "import atexit; atexit.register(lambda: 1 / 0)",
    "output that was held back": "import sys; sys.stdout = open(1, 'w', buffering=9999, closefd=False); print('all')",
    "a large exit code": "import sys; sys.exit(256 + 3)",
    "standard input": "import sys; print(repr(sys.stdin.read()))",
}


@pytest.fixture(scope="module")
def agent() -> Iterator[OneAgent]:
    """One agent, so that its interpreter is warm for all but the first program."""
    with OneAgent() as agent:
        yield agent


def program(folder: Path, source: str, **more: Any) -> Assignment:
    """Return an assignment of a script that lies in a folder of its own, reached by a link, a module beside it."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    (home / "neighbour.py").write_text("VALUE = 42")
    (home / "program.py").write_text(source)
    link = folder / "link"
    if not link.exists():
        link.symlink_to(home)
    own = {"OWN": "yes"}
    return assignment(
        folder / "run", sys.executable, "program.py", "an argument", cwd=str(link), env=own, **more
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_warm_as_cold(agent: OneAgent, tmp_path: Path, name: str) -> None:
    cold = program(tmp_path, PROGRAMS[name])
    warm = replace(cold, preload=("json",), folder=str(tmp_path / "again" / "run"))
    ends = [agent.keep(each)[0] for each in (cold, warm)]
    logs = [_shown(each) for each in (cold, warm)]
    assert logs[0] == logs[1]
    shown = [(end.exit_code, end.signal, end.reason) for end in ends]
    assert shown[0] == shown[1]


def _shown(wanted: Assignment) -> str:
    """Return what a run printed, less what differs from process to process anyway."""
    text = RunFolder(wanted.folder).log_file.read_text().replace(wanted.folder, "FOLDER")
    return re.sub("0x[0-9a-f]+", "ADDRESS", text)


def test_what_is_wanted_is_imported_before_and_by_one_process_for_all(
    agent: OneAgent, tmp_path: Path
) -> None:
    source = "import json, os, sys; print(json.dumps([os.getppid(), 'sqlite3' in sys.modules, sys.flags.isolated]))"
    first, second = (program(tmp_path / str(i), source, preload=("sqlite3",)) for i in range(2))
    found = []
    for wanted in (first, second):
        assert agent.keep(wanted)[0].exit_code == 0
        found.append(json.loads(RunFolder(wanted.folder).log_file.read_text()))
    assert [f[1:] for f in found] == [[True, 0], [True, 0]]
    assert found[0][0] == found[1][0], "one after the other they have the same supervisor"


@pytest.mark.parametrize(
    ("preload", "env"),
    [(("no_such_module_anywhere",), {}), ((), {"PYTHONHASHSEED": "7"}), ((), {"PYTHONDEVMODE": "1"})],
)
def test_where_it_cannot_start_warm_it_starts_cold(
    agent: OneAgent, tmp_path: Path, preload: tuple[str, ...], env: dict[str, str]
) -> None:
    wanted = program(tmp_path, "import sys; print(sys.argv[1]); sys.exit(3)", preload=preload)
    (outcome,) = agent.keep(replace(wanted, env={**wanted.env, **env}))
    assert outcome.exit_code == 3
    assert RunFolder(wanted.folder).log_file.read_text() == "an argument\n"


def test_what_is_imported_before_is_what_the_run_itself_would_find(agent: OneAgent, tmp_path: Path) -> None:
    for i in range(2):
        home = tmp_path / str(i)
        (home / "place").mkdir(parents=True)
        (home / "place" / "found_there.py").write_text(f"VALUE = {i}")
        wanted = program(home, "import found_there; print(found_there.VALUE)", preload=("found_there",))
        wanted = replace(wanted, env={**wanted.env, "PYTHONPATH": str(home / "place")})
        assert agent.keep(wanted)[0].exit_code == 0
        assert RunFolder(wanted.folder).log_file.read_text() == f"{i}\n"


def test_each_run_has_its_own_environment_and_nothing_of_the_one_before(
    agent: OneAgent, tmp_path: Path
) -> None:
    source = "import os, time; print(os.getenv('FIRST'), os.getenv('SECOND'), time.tzname[0])"
    logs = []
    for i, env in enumerate(({"FIRST": "1", "TZ": "XYZ-1"}, {"SECOND": "2", "TZ": "UTC"}, {})):
        wanted = program(tmp_path / str(i), source, preload=("json",))
        assert agent.keep(replace(wanted, env=env))[0].exit_code == 0
        logs.append(RunFolder(wanted.folder).log_file.read_text().split())
    assert logs[0] == ["1", "None", "XYZ"]
    assert logs[1] == ["None", "2", "UTC"]
    assert logs[2] == ["None", "None", time.tzname[0]]


def test_numbers_of_numpy_differ_from_run_to_run(agent: OneAgent, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    logs = []
    for i in range(2):
        wanted = program(tmp_path / str(i), "import numpy; print(numpy.random.rand())", preload=("numpy",))
        assert agent.keep(wanted)[0].exit_code == 0
        logs.append(RunFolder(wanted.folder).log_file.read_text())
    assert logs[0] != logs[1]


def test_a_program_of_another_kind_is_never_taken_for_python(agent: OneAgent, tmp_path: Path) -> None:
    wanted = assignment(tmp_path / "run", "echo", "hello", preload=())
    assert agent.keep(wanted)[0].exit_code == 0
    assert RunFolder(wanted.folder).log_file.read_text() == "hello\n"


@pytest.mark.parametrize("preload", [None, ("json",)], ids=["cold", "warm"])
def test_a_daemon_does_not_outlive_a_run_whose_supervisor_was_killed(
    agent: OneAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preload: tuple[str, ...] | None
) -> None:
    # Given a machine on which no control group can be made, as most are
    monkeypatch.setattr("runyard_actors.assignment._group", lambda: "")
    source = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        open('daemon.part', 'w').write(str(os.getpid()))\n        os.rename('daemon.part', 'daemon')\n"
        "        time.sleep(300)\n    os._exit(0)\nos.wait()\ntime.sleep(300)"
    )
    nonce = secrets.token_hex(8)
    wanted = program(tmp_path, source, preload=preload, nonce=nonce, timeout_seconds=0)
    wanted = replace(wanted, env={**wanted.env, COOKIE: nonce})
    note = tmp_path / "home" / "daemon"

    async def killed() -> Outcome:
        run = asyncio.create_task(agent.agent.keep(wanted, ignore))
        await asyncio.to_thread(wait_until, note.exists, 30, "the daemon is there")
        started = RunFolder(wanted.folder).started() or {}
        os.kill(int(started["shim_pid"]), signal.SIGKILL)
        return await run

    outcome = agent.run(killed())
    assert outcome.reason == "supervisor_lost"
    assert process_start_time(int(note.read_text())) is None
