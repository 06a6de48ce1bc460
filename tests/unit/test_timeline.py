"""A run's usage over time stays small however long it runs, loses no peak, and outlives who wrote it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard_actors.timeline import MOST_SAMPLES, Limits, Recorder, Sample, merge, read

LIMITS = Limits(cpu_milli=1500, memory_bytes=4 << 30, gpu_memory_bytes=8 << 30)
BEGAN = 1_700_000_000.0


def sample(second: int, memory: int = 1 << 20, gpu_memory: int | None = None) -> Sample:
    return Sample(at=BEGAN + second, cpu_percent=50.0, memory=memory, gpu_memory=gpu_memory, gpu_percent=25.0)


def record(path: Path, seconds: range, recorder: Recorder | None = None) -> Recorder:
    recorder = recorder or Recorder(path, LIMITS)
    for second in seconds:
        recorder.add(sample(second))
    return recorder


def test_what_was_added_is_read_back_with_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "usage"
    recorder = Recorder(path, LIMITS)
    given_samples = [
        Sample(at=BEGAN, cpu_percent=99.5, memory=5 << 20, gpu_memory=3 << 30, gpu_percent=61.0),
        Sample(at=BEGAN + 1.1, cpu_percent=0.0, memory=0),
    ]
    for each in given_samples:
        recorder.add(each)
    found = read(path)
    assert found is not None
    assert (found.limits, found.interval_seconds) == (LIMITS, 1)
    assert list(found.samples) == given_samples
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_a_file_is_bounded_whatever_the_length_and_keeps_its_peaks(tmp_path: Path) -> None:
    # Given a run of more than two days, with one second of much memory early on
    path = tmp_path / "usage"
    recorder = Recorder(path, LIMITS)
    largest = 0
    for second in range(200_000):
        recorder.add(sample(second, memory=9 << 30 if second == 777 else 1 << 20))
        if second % 500 == 0:
            largest = max(largest, path.stat().st_size)
    found = read(path)
    # Then the file was never above 64 kB, and is evenly spread over the whole time
    assert found is not None
    assert largest < 64_000
    assert MOST_SAMPLES / 2 <= len(found.samples) <= MOST_SAMPLES
    steps = {round(b.at - a.at) for a, b in zip(found.samples, found.samples[1:], strict=False)}
    assert steps == {found.interval_seconds}
    assert BEGAN + 200_000 - found.samples[-1].at <= found.interval_seconds
    assert max(s.memory for s in found.samples) == 9 << 30


def test_another_process_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    path = tmp_path / "usage"
    record(path, range(MOST_SAMPLES + 10))
    before = read(path)
    # Given that the writer died within a sample
    with path.open("ab") as file:
        file.write(b"\1\2\3")
    second = Recorder(path, LIMITS)
    second.add(sample(MOST_SAMPLES + 10, gpu_memory=5))
    second.add(sample(MOST_SAMPLES + 11, gpu_memory=7 << 20))
    after = read(path)
    assert before is not None and after is not None
    assert after.interval_seconds == before.interval_seconds == 2
    assert after.samples[:-1] == before.samples
    assert after.samples[-1].gpu_memory == 7 << 20
    third = Recorder(path, LIMITS)
    third.add(sample(MOST_SAMPLES + 12))
    assert third.earlier_gpu_peak == 7 << 20


def test_a_write_that_fails_leaves_a_good_file_that_is_written_again_later(tmp_path: Path) -> None:
    path = tmp_path / "run" / "usage"
    recorder = Recorder(path, LIMITS)
    with pytest.raises(OSError, match="No such file"):
        recorder.add(sample(0))
    path.parent.mkdir()
    record(path, range(1, 4), recorder)
    found = read(path)
    assert found is not None
    assert len(found.samples) >= 3
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        recorder.add(sample(4))
    recorder.add(sample(5))
    assert read(path) is not None


@pytest.mark.parametrize(
    "data", [b"", b"RYUSAGE", b"something else that is quite long enough to be a header"]
)
def test_what_is_no_timeline_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "usage"
    assert read(path) is None
    path.write_bytes(data)
    assert read(path) is None


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), st.integers(0, 2**40)), min_size=1, max_size=8))
def test_merged_samples_keep_the_largest_known_figure(memories: list[int | None]) -> None:
    merged = merge([sample(i, gpu_memory=memory) for i, memory in enumerate(memories)])
    assert merged.gpu_memory == max((m for m in memories if m is not None), default=None)
    assert merged.at == BEGAN + len(memories) - 1


def test_a_clock_that_was_set_back_gives_no_moment_before_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "usage"
    recorder = record(path, range(2))
    recorder.add(sample(-3600))
    found = read(path)
    assert found is not None
    assert [s.at - BEGAN for s in found.samples] == [0, 1, 0]
