"""Out of memory is recognised for what it is, and may be tried again with more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

MIB, GIB = 2**20, 2**30

#: Fails for want of memory, as Python does, until the attempt of that number.
UNTIL = "import os\nif int(os.environ['RUNYARD_ATTEMPT']) < {}: bytearray(1 << 60)"
#: The same for want of a GPU's.
GPU_UNTIL = (
    "import os\nif int(os.environ['RUNYARD_ATTEMPT']) < {}: "
    "raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 8.00 GiB total capacity)')"
)
NEVER = 99
SAID = "Python's MemoryError: the run asked for more memory than there was"
GPU_SAID = "PyTorch: the run asked for more GPU memory than there was"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    module = {"command": python(UNTIL.format(2)), "memory": "1GiB", "retry_on_out_of_memory": 1.5}
    with in_process(tmp_path_factory.mktemp("server"), modules={"grows": module}) as found:
        yield found


@pytest.fixture
def http(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def attempts(http: httpx.Client, run: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    """Return the reason and the words of each attempt."""
    found = http.get(f"/api/runs/{run['run_id']}/attempts").json()
    return [(a["reason"], a["reason_detail"]) for a in found]


def test_a_memory_error_and_words_of_cuda_are_out_of_memory(http: httpx.Client) -> None:
    runs = [submit(http, command=python(code.format(NEVER))) for code in (UNTIL, GPU_UNTIL)]
    main, gpu = (wait_ended(http, run["run_id"]) for run in runs)
    assert (main["status"], main["reason"], main["reason_detail"]) == ("failed", "out_of_memory", SAID)
    assert (gpu["status"], gpu["reason"], gpu["reason_detail"]) == ("failed", "out_of_memory", GPU_SAID)
    assert (main["exit_code"], main["signal"], main["attempt"], main["memory_retries"]) == (1, None, 1, 0)


def test_the_words_alone_do_no_harm(http: httpx.Client) -> None:
    words = "import traceback\ntry: bytearray(1 << 60)\nexcept MemoryError: traceback.print_exc()\n"
    done = submit(http, command=python(words))
    ended = submit(http, command=python(words + "raise ValueError('something else')"))
    assert wait_ended(http, done["run_id"])["status"] == "completed"
    assert wait_ended(http, ended["run_id"])["reason"] == "exit_code"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell and signals")
def test_a_shell_whose_child_was_killed_has_an_exit_code_and_no_signal(http: httpx.Client) -> None:
    run = submit(http, command=["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], retry_on_out_of_memory=2)
    ended = wait_ended(http, run["run_id"])
    assert (ended["reason"], ended["exit_code"], ended["signal"]) == ("exit_code", 137, None)
    assert ended["attempt"] == 1


def test_a_module_over_its_limit_is_tried_again_with_a_limit_that_holds_it(http: httpx.Client) -> None:
    # Given a module that needs 100 MiB beside Python itself, and asks for 64
    code = "import time; b = b'x' * (100 << 20); time.sleep(1.5)"
    run = submit(http, command=python(code), memory="64MiB", retry_on_out_of_memory=2.5)
    ended = wait_ended(http, run["run_id"])
    # Then it is killed once, and completes within 160
    assert (ended["status"], ended["attempt"], ended["memory"]) == ("completed", 2, 160 * MIB)
    (reason, words), second = attempts(http, run)
    assert reason == "memory_limit"
    assert words is not None and words.endswith(", limit 64 MiB; killed; retrying with 160 MiB")
    assert second == (None, None)


def test_a_factor_of_a_module_counts_for_its_runs(http: httpx.Client) -> None:
    ended = wait_ended(http, submit(http, module_id="grows")["run_id"])
    assert (ended["status"], ended["memory"], ended["retry_on_out_of_memory"]) == (
        "completed",
        3 * GIB // 2,
        1.5,
    )
    assert attempts(http, ended)[0] == ("out_of_memory", f"{SAID}; retrying with 1.5 GiB")
    once = wait_ended(http, submit(http, module_id="grows", retry_on_out_of_memory=1)["run_id"])
    assert (once["reason"], once["attempt"], once["reason_detail"]) == ("out_of_memory", 1, SAID)


def test_gpu_memory_grows_where_it_was_too_little(http: httpx.Client) -> None:
    run = submit(
        http,
        command=python(GPU_UNTIL.format(3)),
        memory="1GiB",
        gpu_memory="3GiB",
        retry_on_out_of_memory=2,
    )
    ended = wait_ended(http, run["run_id"])
    assert (ended["status"], ended["memory"], ended["gpu_memory"]) == ("completed", GIB, 8 * GIB)
    assert [words for _, words in attempts(http, run)] == [
        f"{GPU_SAID}; retrying with 6 GiB gpu_memory",
        f"{GPU_SAID}; retrying with 8 GiB gpu_memory",
        None,
    ]


def test_three_times_and_the_retries_it_has_anyway(http: httpx.Client) -> None:
    run = submit(
        http, command=python(UNTIL.format(NEVER)), memory="1GiB", retry_on_out_of_memory=1.5, max_retries=1
    )
    ended = wait_ended(http, run["run_id"])
    assert (ended["reason"], ended["attempt"], ended["memory_retries"]) == ("out_of_memory", 5, 3)
    assert ended["memory"] == GIB * 27 // 8
    assert [words for _, words in attempts(http, run)] == [
        f"{SAID}; retrying with 1.5 GiB",
        f"{SAID}; retrying with 2.2 GiB",
        f"{SAID}; retrying with 3.4 GiB",
        SAID,
        SAID,
    ]


def test_what_a_whole_node_cannot_hold_has_ended(http: httpx.Client) -> None:
    run = submit(http, command=python(UNTIL.format(NEVER)), memory="12GiB", retry_on_out_of_memory=1.5)
    ended = wait_ended(http, run["run_id"])
    assert (ended["status"], ended["attempt"], ended["memory"]) == ("failed", 2, 16 * GIB)


def test_a_restart_begins_with_what_it_asked_for_last_and_has_its_retries_again(http: httpx.Client) -> None:
    first = wait_ended(http, submit(http, module_id="grows")["run_id"])
    again = http.post(f"/api/runs/{first['run_id']}/restart", json={"retry_on_out_of_memory": 2}).json()
    assert (again["memory"], again["memory_retries"], again["retry_on_out_of_memory"]) == (
        3 * GIB // 2,
        0,
        2.0,
    )
    assert wait_ended(http, again["run_id"])["memory"] == 3 * GIB


def test_a_larger_request_outlives_the_manager(tmp_path: Path) -> None:
    # Given a run that ended for want of memory while starts are paused
    code = "import time; time.sleep(0.5); b = b'x' * (100 << 20); time.sleep(1.5)"
    with in_process(tmp_path) as server, server.http() as http:
        run = submit(http, command=python(code), memory="64MiB", retry_on_out_of_memory=2.5)
        wait_until(lambda: http.get(f"/api/runs/{run['run_id']}").json()["status"] == "running", 20)
        http.post("/api/pause", json={})
        wait_until(lambda: http.get(f"/api/runs/{run['run_id']}").json()["status"] == "queued", 20)
    # When another manager takes over
    with in_process(tmp_path) as server, server.http() as http:
        shown = http.get(f"/api/runs/{run['run_id']}").json()
        assert (shown["status"], shown["memory"], shown["memory_retries"]) == ("queued", 160 * MIB, 1)
        http.post("/api/resume", json={})
        # Then the run has the memory it was promised
        ended = wait_ended(http, run["run_id"])
        assert (ended["status"], ended["attempt"], ended["memory"]) == ("completed", 2, 160 * MIB)
