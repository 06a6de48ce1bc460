"""What one attempt used over time: a file in its folder that is only added to, and stays small however long it runs.

When the file is full, every two neighbours become one and the interval doubles. So a graph of any run has between
half of `MOST_SAMPLES` and all of them, evenly spread, and peaks are never lost: memory is merged by its maximum.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard_cluster.files import durable_replace, read_regular

#: Samples in a file at most. With `_SAMPLE` bytes each and the header, a file stays below 64 kB.
MOST_SAMPLES = 3_000

_MAGIC = b"RYUSAGE1"
#: What it is, when it began in microseconds since the epoch, seconds from sample to sample, and the run's limits:
#: thousandths of CPUs, bytes of memory, bytes of GPU memory.
_HEADER = struct.Struct("<8sQIIQQ")
#: Tenths of seconds since the beginning, percent of one CPU, KiB of memory, KiB of GPU memory, percent of one GPU.
_SAMPLE = struct.Struct("<IfIIf")
_KIB = 1024
#: Seconds from sample to sample after five centuries; what says more is damaged, as are times after the year 9999.
_LONGEST_INTERVAL = 1 << 23
_LATEST = 253_402_300_799_000_000
_LARGEST = 2**63 - 1
#: What is read of a file at most; more than ours ever have.
MOST_BYTES = 1 << 20
_UNKNOWN = _MOST = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the run declared; zero means: nothing."""

    cpu_milli: int = 0
    memory_bytes: int = 0
    gpu_memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment: `at` in seconds since the epoch, the CPU in percent of one core, sizes in bytes; None: not known."""

    at: float
    cpu_percent: float
    memory: int
    gpu_memory: int | None = None
    gpu_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A file read back. Each sample stands for `interval_seconds`: the mean of percents, the maximum of sizes."""

    began: int
    interval_seconds: int
    limits: Limits
    samples: tuple[Sample, ...]


class Recorder:
    """Adds to one attempt's file, also to one that another process began."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._began: int | None = None
        self._interval = 1
        self._count = 0
        self._waiting: list[Sample] = []
        #: The most GPU memory that the file told of when it was opened; None where it was never known.
        self.earlier_gpu_peak: int | None = None

    def add(self, sample: Sample) -> None:
        """Take the sample of one second. Raises OSError: then it is left out, and the file is good all the same."""
        if self._began is None:
            self._open(sample)
        self._waiting.append(sample)
        if len(self._waiting) < self._interval:
            return
        merged, self._waiting = merge(self._waiting), []
        try:
            self._append(merged)
        except OSError:
            self._began = None  # Half a sample may stand there: look at the file anew.
            raise

    def _open(self, first: Sample) -> None:
        known = read(self._path)
        if known is None:
            began = int(first.at * 1e6)
            durable_replace(self._path, _header(began, 1, self._limits))
            self._began, self._interval, self._count = began, 1, 0
            return
        os.truncate(self._path, _HEADER.size + len(known.samples) * _SAMPLE.size)
        self._began, self._interval, self._count = known.began, known.interval_seconds, len(known.samples)
        peaks = [s.gpu_memory for s in known.samples if s.gpu_memory is not None]
        self.earlier_gpu_peak = max(peaks, default=None)

    def _append(self, sample: Sample) -> None:
        assert self._began is not None
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self._path, flags)
        try:
            os.write(descriptor, _packed(sample, self._began))
        finally:
            os.close(descriptor)
        self._count += 1
        if self._count >= MOST_SAMPLES:
            self._thin()

    def _thin(self) -> None:
        """Halve what is there. A reader sees the file before or after, never in between."""
        known = read(self._path)
        assert known is not None and self._began is not None
        pairs = [merge(known.samples[i : i + 2]) for i in range(0, len(known.samples), 2)]
        data = b"".join(_packed(sample, self._began) for sample in pairs)
        durable_replace(self._path, _header(self._began, self._interval * 2, self._limits) + data)
        self._interval *= 2
        self._count = len(pairs)


def read(path: Path) -> Timeline | None:
    """Return what a file tells; None where there is none, or none that this version understands."""
    data = read_regular(path, MOST_BYTES) or b""
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        return None
    _, began, interval, cpu_milli, memory, gpu_memory = _HEADER.unpack_from(data)
    if not 0 < interval <= _LONGEST_INTERVAL or began > _LATEST or max(memory, gpu_memory) > _LARGEST:
        return None
    whole = (len(data) - _HEADER.size) // _SAMPLE.size * _SAMPLE.size
    body = memoryview(data)[_HEADER.size : _HEADER.size + whole]
    return Timeline(
        began=began,
        interval_seconds=interval,
        limits=Limits(cpu_milli=cpu_milli, memory_bytes=memory, gpu_memory_bytes=gpu_memory),
        samples=tuple(_unpacked(fields, began) for fields in _SAMPLE.iter_unpack(body)),
    )


def merge(samples: Sequence[Sample]) -> Sample:
    """Return one sample for several neighbours, at the moment of the last."""
    memory = [s.gpu_memory for s in samples if s.gpu_memory is not None]
    percents = [s.gpu_percent for s in samples if s.gpu_percent is not None]
    return Sample(
        at=samples[-1].at,
        cpu_percent=sum(s.cpu_percent for s in samples) / len(samples),
        memory=max(s.memory for s in samples),
        gpu_memory=max(memory, default=None),
        gpu_percent=sum(percents) / len(percents) if percents else None,
    )


def _header(began: int, interval: int, limits: Limits) -> bytes:
    return _HEADER.pack(
        _MAGIC, began, interval, limits.cpu_milli, limits.memory_bytes, limits.gpu_memory_bytes
    )


def _packed(sample: Sample, began: int) -> bytes:
    return _SAMPLE.pack(
        _bounded((sample.at - began / 1e6) * 10),
        sample.cpu_percent,
        _bounded(sample.memory / _KIB),
        _UNKNOWN if sample.gpu_memory is None else min(_UNKNOWN - 1, _bounded(sample.gpu_memory / _KIB)),
        math.nan if sample.gpu_percent is None else sample.gpu_percent,
    )


def _unpacked(fields: tuple[int, float, int, int, float], began: int) -> Sample:
    tenths, cpu, memory, gpu_memory, gpu_percent = fields
    return Sample(
        at=began / 1e6 + tenths / 10,
        cpu_percent=cpu if math.isfinite(cpu) else 0.0,
        memory=memory * _KIB,
        gpu_memory=None if gpu_memory == _UNKNOWN else gpu_memory * _KIB,
        gpu_percent=gpu_percent if math.isfinite(gpu_percent) else None,
    )


def _bounded(value: float) -> int:
    """A clock that was set back gives nothing before the beginning."""
    return max(0, min(_MOST, round(value)))
