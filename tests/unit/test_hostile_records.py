"""A module may write into its own folder: whatever lies there, nobody who reads it fails, waits or believes it."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runyard_actors import attempt_file, log_times, record_file, timeline
from runyard_actors.ending import finished, unfinished
from runyard_actors.run import Outcome
from runyard_actors.run_folder import RunFolder
from runyard_actors.timeline import Limits, Recorder, Sample
from runyard_cluster import process
from tests.integration.test_node_agent import assignment
from tests.one_agent import OneAgent

SOME = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = (
    "shim_pid", "shim_start", "boot_id", "started_at", "never_starts", "enforcement", "pid", "start", "cgroup",
    "ended_at", "exit_code", "signal", "reason", "reason_detail", "ended_by", "cpu_seconds", "peak_memory",
    "log_bytes", "end", "suspended_at", "progress", "message", "metrics", "result",
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["exit_code", "\ud800", "/sys/fs/cgroup", "a\0b"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=5
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(lambda found: json.dumps(found).encode())
NESTED = b'{"reason":' * 100_000
BYTES = RECORDS | VALUES.map(lambda v: json.dumps(v).encode()) | st.binary(max_size=200) | st.just(NESTED)
TORN = st.tuples(BYTES, st.integers(0, 200)).map(
    lambda both: both[0][: both[1]] if both[1] < 150 else both[0]
)

FILES = (
    attempt_file.RECORD, attempt_file.SUSPENDED, attempt_file.LOG_GAP, attempt_file.REPORT, attempt_file.TIME_INDEX,
    attempt_file.USAGE, *attempt_file.FIRST_RECORDS.values(),
)  # fmt: skip
KINDS = (record_file.CLAIM, record_file.CHILD, record_file.EXIT)


def storable(value: Any) -> None:
    """Fail unless a database and a browser take it."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    if isinstance(value, int):
        assert -(2**63) <= value < 2**63


def read_all(path: Path) -> None:
    """Read everything of a folder as the manager and the server do."""
    folder = RunFolder(path)
    wanted = assignment(path, "true", nonce="0123456789abcdef")
    for record in (folder.started(), folder.child(), folder.exit()):
        for value in (record or {}).values():
            storable(value)
    outcome = finished(wanted, folder)
    assert outcome is None or check(outcome)
    if (found := folder.log_gap()) is not None:
        assert 0 <= found[0] <= found[1]
    assert folder.suspended_at() is None or folder.suspended_at() >= 0  # type: ignore[operator]
    storable(folder.report())
    folder.request_stop("cancelled_by_user", "")
    list(log_times.stamped(folder.log_file, folder.time_index_file))
    if found_timeline := timeline.read(folder.usage_file):
        for sample in found_timeline.samples:
            storable([sample.at, sample.cpu_percent, sample.memory, sample.gpu_memory, sample.gpu_percent])


def check(outcome: Outcome) -> bool:
    """Fail unless the store takes an outcome."""
    for name in Outcome.__slots__:
        storable(getattr(outcome, name))
    return True


#: Lines of a record, whole, torn, or none of ours at all.
LINES = (
    st.tuples(st.sampled_from(KINDS), RECORDS).map(lambda both: b'{"%s":%s}' % (both[0].encode(), both[1]))
    | BYTES
)
RECORD = st.lists(LINES, max_size=5).map(b"\n".join) | LINES.map(lambda line: line + b"\n" + b" " * 100)


def record(**lines: bytes) -> dict[str, bytes]:
    """A folder with nothing in it but a record of these lines."""
    return {
        attempt_file.RECORD: b"".join(b'{"%s":%s}\n' % (kind.encode(), line) for kind, line in lines.items())
    }


@SOME
@given(contents=st.dictionaries(st.sampled_from(FILES), TORN), lines=st.none() | RECORD)
@example(contents=record(exit=b'{"ended_at":1e400,"reason":"nonsense"}'), lines=None)
@example(
    contents=record(exit=b'{"ended_at":5,"reason":"exit_code","exit_code":' + b"9" * 5000 + b"}"), lines=None
)
@example(contents=record(claim=b'{"never_starts":{"ended_at":"soon"}}'), lines=None)
@example(contents=record(claim=b'{"shim_pid":-1,"shim_start":[]}', child=b'{"pid":"x"}'), lines=None)
@example(contents=record(claim=b'{"a":' * 100_000), lines=None)
@example(contents={attempt_file.LOG_GAP: b'{"start":5}'}, lines=None)
@example(contents={attempt_file.TIME_INDEX: b"9" * 30 + b" 1\n1 2 3\n\xff \xff\n5 " + b"9" * 18}, lines=None)
def test_whatever_lies_in_a_folder_can_be_read(
    tmp_path: Path, contents: dict[str, bytes], lines: bytes | None
) -> None:
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / attempt_file.LOG).write_bytes(b"one\ntwo\n")
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    if lines is not None:
        (tmp_path / attempt_file.RECORD).write_bytes(lines)
    read_all(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda p: os.symlink("/dev/zero", p), lambda p: os.symlink(p, p)]
)
def test_a_record_that_is_no_file_keeps_nobody_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    for name in FILES:
        make(tmp_path / name)
    began = time.process_time()
    read_all(tmp_path)
    assert time.process_time() - began < 5


@SOME
@given(data=st.binary(max_size=100), header=st.tuples(*[st.integers(0, 2**32 - 1)] * 5))
def test_a_damaged_usage_file_is_gone_on_with_or_begun_anew(
    tmp_path: Path, data: bytes, header: tuple[int, ...]
) -> None:
    path = tmp_path / "usage"
    path.write_bytes(struct.pack("<8sQIIQQ", b"RYUSAGE1", *header) + data)
    recorder = Recorder(path, Limits())
    for second in range(3):
        recorder.add(Sample(at=1_700_000_000.0 + second, cpu_percent=1.0, memory=1))
    assert timeline.read(path) is not None


@pytest.mark.parametrize("is_written", [False, True], ids=["cut off", "hostile"])
def test_the_agent_ends_an_attempt_whatever_its_folder_holds(tmp_path: Path, is_written: bool) -> None:
    claim = json.dumps({"shim_pid": 2**40, "boot_id": process.boot_id()}).encode()
    hostile = record(claim=claim, child=b'{"pid": "none", "cgroup": 5}', exit=b'{"ended_at": "never"}')
    (tmp_path / attempt_file.RECORD).write_bytes(
        hostile[attempt_file.RECORD] if is_written else b'{"claim": {"shim_pi'
    )
    with OneAgent() as agent:
        (outcome,) = agent.keep(assignment(tmp_path, "true", nonce="fedcba9876543210"))
    assert outcome.reason == "supervisor_lost"


def test_no_group_but_the_attempts_own_is_ended(tmp_path: Path) -> None:
    others = tmp_path / "somebody else's"
    others.mkdir()
    (others / "cgroup.kill").write_text("")
    written = record(child=json.dumps({"pid": 1, "cgroup": str(others)}).encode())
    (tmp_path / attempt_file.RECORD).write_bytes(written[attempt_file.RECORD])
    wanted = assignment(tmp_path, "true", nonce="0011223344556677")
    assert unfinished(wanted, RunFolder(tmp_path)).reason == "supervisor_lost"
    assert (others / "cgroup.kill").read_text() == ""
    assert others.exists()
