"""Runs from submit to end, on a real Ray with real processes."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from runyard import (
    InvalidRequestError,
    Module,
    NotFoundError,
    ResourceLimitError,
    RunCancelledError,
    RunFailedError,
    RunTimeoutError,
)
from runyard.session import Session
from tests.support import processes_with, python, wait_until


def submit(session: Session, command: list[str], **fields: object):
    return session.submit({"command": command, **fields}, None)


def submit_all(session: Session, runs: list[dict], **options: object):
    return session.submit_batch({"runs": runs, **options}, None)


def test_a_run_completes_with_its_log_and_numbers(session: Session) -> None:
    run = submit(session, python("print('hello'); print('world')"), name="greeter", labels={"a": "b"})
    result = run.result(60)
    assert (result.status, result.exit_code, result.reason) == ("completed", 0, None)
    assert result.log() == "hello\nworld\n"
    assert result.module_name == "greeter"
    assert result.labels == {"a": "b"}
    assert result.cpu_seconds > 0
    assert result.peak_memory > 1_000_000
    assert result.log_bytes == 12
    assert result.created_at <= result.started_at <= result.ended_at


def test_exit_code_and_signal_are_told_apart(session: Session) -> None:
    exited = submit(session, python("raise SystemExit(137)"))
    killed = submit(session, python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (exited.wait(60).exit_code, exited.fields["signal"], exited.reason) == (137, None, "exit_code")
    assert (killed.wait(60).exit_code, killed.fields["signal"], killed.reason) == (None, 9, "signal")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program-anywhere"], "program not found: no-such-program-anywhere"),
        ([sys.executable, "/no/such/script.py"], "script not found: /no/such/script.py"),
        (["/etc/hostname"], "not executable: /etc/hostname"),
    ],
)
def test_a_start_error_says_what_is_missing(session: Session, command: list[str], words: str) -> None:
    run = submit(session, command).wait(60)
    assert (run.status, run.reason) == ("failed", "start_error")
    assert words in run.fields["reason_detail"]


def test_a_missing_folder_is_a_start_error(session: Session, tmp_path: Path) -> None:
    run = submit(session, ["true"], cwd=str(tmp_path / "gone")).wait(60)
    assert run.reason == "start_error"
    assert "cwd not found" in run.fields["reason_detail"]


def test_never_more_runs_at_once_than_the_limit(session: Session, tmp_path: Path) -> None:
    code = f"import time; print('run'); time.sleep(0.3)  # {tmp_path}"
    most, stop = [0], threading.Event()

    def sample() -> None:
        while not stop.wait(0.02):
            alive = 0
            for process in psutil.process_iter(["cmdline"]):
                alive += any(str(tmp_path) in part for part in process.info["cmdline"] or ())
            most[0] = max(most[0], alive)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        batch = submit_all(session, [{"command": python(code)} for _ in range(60)], max_concurrent=7)
        results = batch.results(timeout=120)
    finally:
        stop.set()
        sampler.join()
    assert len(results) == 60
    assert most[0] <= 7
    assert most[0] >= 4, "the limit is also used"
    assert {r.log() for r in results} == {"run\n"}


def test_logs_of_runs_are_not_mixed(session: Session) -> None:
    code = "import sys\nfor i in range(200): print(sys.argv[1], i)"
    batch = submit_all(session, [{"command": [*python(code), str(n)]} for n in range(20)])
    for number, result in enumerate(batch.results(timeout=120)):
        assert result.log().splitlines() == [f"{number} {i}" for i in range(200)]


def test_two_hundred_runs_that_fail_in_five_ways(session: Session, tmp_path: Path) -> None:
    ways = {
        "exit_code": {"command": python("raise SystemExit(3)")},
        "signal": {"command": python("import os; os.kill(os.getpid(), 11)")},
        "timeout": {"command": python("import time; time.sleep(60)"), "timeout": "500ms"},
        "start_error": {"command": ["/no/such/program"]},
        "dependency_failed": {"command": python("pass")},
    }
    runs = [{"command": python(f"print({n})"), "name": f"n{n}"} for n in range(200)]
    expected: dict[int, str] = {}
    for number in range(20):
        reason = list(ways)[number % 5]
        index = 5 + number * 9
        expected[index] = reason
        runs[index] = {**ways[reason], "name": f"n{index}"}
        if reason == "dependency_failed":
            runs[index]["after"] = [index - 9]
    batch = submit_all(session, runs)
    results = batch.results(return_exceptions=True, timeout=170)
    classes = {"timeout": RunTimeoutError, "dependency_failed": RunCancelledError}
    for index, result in enumerate(results):
        if index in expected:
            assert type(result) is classes.get(expected[index], RunFailedError)
            assert result.reason == expected[index]
        else:
            assert result.log() == f"{index}\n"
    counts = Counter(e for e in expected.values())
    assert all(n == 4 for n in counts.values())


def test_a_double_forked_daemon_is_gone_soon_after_its_run(session: Session) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ['X'] = 'daemon'
        time.sleep(300)
    os._exit(0)
os.wait()
time.sleep(0.2)
"""
    run = submit(session, python(code)).wait(60)
    assert run.status == "completed"
    wait_until(lambda: not processes_with({"RUNYARD_RUN_ID": run.run_id}), 5, "the daemon is gone")


def test_cancel_of_a_running_run_ends_its_whole_tree(session: Session) -> None:
    code = (
        "import subprocess, sys, time, signal; signal.signal(15, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); print('up', flush=True);"
        "time.sleep(300)"
    )
    run = submit(session, python(code))
    wait_until(lambda: run.status == "running" and "up" in run.log(), 60, "the run is up")
    before = time.monotonic()
    assert run.cancel("not needed")
    with pytest.raises(RunCancelledError, match="not needed"):
        run.result(30)
    assert time.monotonic() - before < 2 + 2
    assert not processes_with({"RUNYARD_RUN_ID": run.run_id})
    assert run.fields["reason"] == "cancelled_by_user"


def test_a_cancelled_queued_run_never_starts(session: Session, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    blocker = submit(session, python("import time; time.sleep(300)"))
    waiting = submit(session, python(f"open({str(mark)!r}, 'w')"), after=[blocker.run_id])
    assert "waiting_for" in waiting.refresh().fields
    assert blocker.run_id in waiting.fields["waiting_for"]
    assert waiting.cancel()
    assert waiting.wait(10).status == "cancelled"
    blocker.cancel()
    blocker.wait(30)
    assert not mark.exists()


def test_a_request_no_node_can_hold_is_refused_and_names_the_node(session: Session) -> None:
    with pytest.raises(ResourceLimitError, match=r"(?i)largest|most"):
        submit(session, ["true"], memory="900TiB")
    with pytest.raises(ResourceLimitError):
        submit(session, ["true"], num_gpus=64)


def test_a_batch_is_all_or_nothing(session: Session) -> None:
    before = session.client.runs(limit=1)["total"]
    with pytest.raises(InvalidRequestError) as caught:
        submit_all(session, [{"command": ["true"]}, {"command": []}, {"command": ["true"], "num_cpu": 1}])
    assert {d.get("index") for d in caught.value.details} == {1, 2}
    assert "num_cpus" in str(caught.value.details)
    with pytest.raises(InvalidRequestError):
        submit_all(session, [{"command": ["true"]}, {"module_id": "nobody-knows-it"}])
    assert session.client.runs(limit=1)["total"] == before


def test_an_unknown_module_is_told_with_the_known_ones(session: Session) -> None:
    with pytest.raises((NotFoundError, InvalidRequestError), match="nobody-knows-it"):
        session.submit({"module_id": "nobody-knows-it"}, None)


def test_the_same_idempotency_key_gives_the_same_run(session: Session) -> None:
    first = session.client.submit({"command": ["true"]}, idempotency_key="once")
    again = session.client.submit({"command": ["true"]}, idempotency_key="once")
    assert first["run_id"] == again["run_id"]


def test_a_failed_run_is_retried_with_a_log_of_its_own(session: Session) -> None:
    code = "import os, sys; n = os.environ['RUNYARD_ATTEMPT']; print('attempt', n); sys.exit(n != '3')"
    run = submit(session, python(code), max_retries=3).wait(60)
    assert (run.status, run.fields["attempt"]) == ("completed", 3)
    logs = [session.client.log(run.run_id, attempt=n).decode() for n in (1, 2, 3)]
    assert logs == ["attempt 1\n", "attempt 2\n", "attempt 3\n"]


def test_progress_message_and_result_of_a_module_show_up(session: Session) -> None:
    code = (
        "import runyard, time; runyard.report(progress=0.5, message='half'); runyard.report(result={'n': 1})"
    )
    run = session.submit({"command": [sys.executable, "-c", code]}, None).wait(60)
    assert run.status == "completed", run.log()
    assert (run.fields["progress"], run.fields["message"], run.fields["result"]) == (0.5, "half", {"n": 1})


def test_a_module_sees_its_own_environment_and_nothing_of_ray(session: Session) -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    import json

    run = submit(session, python(code), env={"MINE": "x"}).wait(60)
    environ = json.loads(run.log())
    assert environ["MINE"] == "x"
    assert environ["RUNYARD_RUN_ID"] == run.run_id
    assert environ["CUDA_VISIBLE_DEVICES"] == ""
    assert not [name for name in environ if name.startswith("RAY_")]
    assert run.fields["env_keys"] == ["MINE"]


def test_the_request_is_what_ray_holds(session: Session) -> None:
    run = submit(session, python("import time; time.sleep(300)"), num_cpus=1, memory="1GiB")
    wait_until(lambda: run.status == "running", 60, "the run is up")
    node = session.client.resources()["nodes"][0]
    assert node["declared"] == {"num_cpus": 1.0, "memory": 2**30}
    run.cancel()
    run.wait(30)


def test_modules_import_as_plain_values() -> None:
    module = Module("train", script="train.py", args=["--lr", "0.1"], num_gpus=0.25, memory="4GiB")
    assert module.body() == {
        "module_id": "train",
        "script": "train.py",
        "args": ["--lr", "0.1"],
        "num_gpus": 0.25,
        "memory": "4GiB",
    }


def test_usage_of_active_runs_is_measured_and_told_once_a_second(session: Session) -> None:
    # Given a run that burns one CPU and holds 100 MB
    burn = "import time; held = bytearray(100_000_000); t = time.monotonic\nend = t() + 300\nwhile t() < end: pass"
    run = submit(session, python(burn))
    try:
        for event in session.client.events():
            if event["kind"] != "usage":
                continue
            found = {each["run_id"]: each for each in event["runs"]}.get(run.run_id)
            if found and found["cpu_percent"] > 5 and found["memory"] > 100_000_000:
                break
    finally:
        run.cancel()
        run.wait(30)
    assert run.run_id not in {each["run_id"] for each in session.client.usage()["runs"]}
