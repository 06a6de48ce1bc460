"""How far a run gets above its memory limit before it is killed, and what watching it costs.

    python tests/benchmarks/memory_overshoot.py

Real modules under real shims: each takes memory at a rate and notes in a file how much it has by now, so what is
measured is what it held when it died, not what a look at it saw. Prints tables in Markdown; nothing is judged.
"""

from __future__ import annotations

import argparse
import os
import secrets
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from runyard_actors.attempt_file import COOKIE
from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.launch import launch
from runyard_actors.shim.spec import ShimSpec
from runyard_cluster.delegation import delegated_group, limits_below

MB = 1_000_000
LIMITS = (200 * MB, 1000 * MB)
#: Bytes a second; 0 is as fast as it goes.
RATES = (50 * MB, 200 * MB, 500 * MB, 0)
END_SECONDS = 120.0

#: Takes memory block by block, at a rate, up to a size; says in `held` how much it has, its own start included.
MODULE = """
import mmap, os, sys, time
rate, most = float(sys.argv[1]), int(sys.argv[2])
lines = open("/proc/self/smaps_rollup").read().splitlines()
base = sum(int(l.split()[1]) << 10 for l in lines if l.startswith("Anonymous:"))
with open("held", "wb") as file: file.truncate(8)
note = mmap.mmap(os.open("held", os.O_RDWR), 8)
room, block, taken, began = mmap.mmap(-1, most), b"x" * (1 << 18), 0, time.monotonic()
while taken + len(block) <= most:
    room[taken:taken + len(block)] = block
    taken += len(block)
    note[:8] = (base + taken).to_bytes(8, "little")
    ahead = taken / rate - (time.monotonic() - began) if rate else 0
    if ahead > 0.002: time.sleep(ahead)
time.sleep(1000)
"""


def main() -> None:
    """Measure, and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--runs", type=int, default=5, help="runs for each row of the first table; 0 leaves it out"
    )
    options.add_argument("--seconds", type=float, default=20.0, help="how long each idle run is watched")
    chosen = options.parse_args()
    print("| held by | limit | taken at | above the limit, median | at most | killed for |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for group in _groups() if chosen.runs else ():
        for limit in LIMITS:
            for rate in RATES:
                _print_overshoot(group, limit, rate, chosen.runs)
    print("\n| a run that holds | of its limit | shim's CPU a second |\n| ---: | ---: | ---: |")
    for held, limit in ((20, 1000), (300, 1000), (900, 1000), (190, 200)):
        spent = _idle_cost(held * MB, limit * MB, chosen.seconds)
        print(f"| {held} MB | {limit} MB | {spent * 1000:.2f} ms |", flush=True)


def _groups() -> list[str]:
    """Return how limits can be held here: by polling, and by a control group that limits memory."""
    group = delegated_group()
    return ["", str(group)] if group and "memory" in limits_below(group) else [""]


def _print_overshoot(group: str, limit: int, rate: int, runs: int) -> None:
    found = [_overshoot(group, limit, rate) for _ in range(runs)]
    above = [bytes_above / MB for bytes_above, _ in found]
    reasons = ", ".join(sorted({str(reason) for _, reason in found}))
    way, speed = "cgroup" if group else "poll", f"{rate // MB} MB/s" if rate else "full speed"
    print(
        f"| {way} | {limit // MB} MB | {speed} | {median(above):.1f} MB | {max(above):.1f} MB | {reasons} |",
        flush=True,
    )


def _overshoot(group: str, limit: int, rate: int) -> tuple[int, str | None]:
    with _module(group, limit, rate, most=limit * 4) as folder:
        _wait_end(folder)
        held = struct.unpack("<q", (folder.path / "held").read_bytes())[0]
        return held - limit, (folder.exit() or {}).get("reason")


def _idle_cost(held: int, limit: int, seconds: float) -> float:
    """Return the CPU seconds a second that a shim takes for a run that holds so much and does nothing."""
    with _module("", limit, 100 * MB, most=held) as folder:
        shim = int((folder.started() or {})["shim_pid"])
        time.sleep(held / (100 * MB) + 3)
        before = _cpu_nanoseconds(shim)
        time.sleep(seconds)
        return (_cpu_nanoseconds(shim) - before) / 1e9 / seconds


@contextmanager
def _module(group: str, limit: int, rate: int, *, most: int) -> Iterator[RunFolder]:
    with tempfile.TemporaryDirectory() as temporary:
        folder, nonce = RunFolder(Path(temporary)), secrets.token_hex(8)
        command = [sys.executable, "-I", "-S", "-c", MODULE, str(rate), str(most)]
        folder.write_spec(
            ShimSpec(
                run_id="r",
                attempt=1,
                nonce=nonce,
                command=command,
                cwd=temporary,
                env={**os.environ, COOKIE: nonce},
                memory_bytes=limit,
                max_processes=4096,
                cgroup=group,
            ).to_json()
        )
        launch(folder)
        try:
            yield folder
        finally:
            folder.request_stop("cancelled_by_user", "measured", grace_seconds=0)
            _wait_end(folder)


def _wait_end(folder: RunFolder) -> None:
    until = time.monotonic() + END_SECONDS
    while folder.is_alive():
        if time.monotonic() > until:
            raise SystemExit(f"the run in {folder.path} does not end")
        time.sleep(0.01)


def _cpu_nanoseconds(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


if __name__ == "__main__":
    main()
