"""Measure runyard and a bare asyncio loop side by side, round by round, and print the ratios.

    python tests/benchmarks/side_by_side.py [--rounds 3] [--work rest,W1,W2,W2w,W3,W4,W5,W5L,W6,start,warm,up] [--peers]
    python tests/benchmarks/side_by_side.py --work million,W7,active

The loop is a semaphore of ten and `create_subprocess_exec`, each output in a file of its own: nothing durable, no
limits, no history. runyard is a server with a Ray of its own, to which everything is submitted over REST. CPU time is
that of all processes that took part, where control groups of version 1 let it be counted, else left out. The second
line measures, for some half an hour, what has no like in the loop: a million queued, a page of a million, 500 active.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.bare_loop import BareLoop
from tests.benchmarks.load_memory import pss_bytes
from tests.benchmarks.peers import installed
from tests.faults.chaos_victims import has_mark
from tests.integration.conftest import TestSession, embedded

LIMIT = 10
SETTINGS = f"max_concurrent_runs = {LIMIT}\ncpu_busy_percent = 0\n"
SMALL = {"num_cpus": 0.01, "memory": "16MiB"}
TRUE = ["/bin/true"]
PYTHON = [sys.executable, "-S", "-c", "pass"]
TICK = "import time\nfor _ in range(100): print(time.time_ns(), flush=True); time.sleep(0.02)"
#: Two million lines of 101 bytes, each made and then printed as Python prints into a file: in blocks of 8 KiB.
LINES = """
import sys
for first in range(0, 1_980_000, 80):
    lines = [b"2025-01-01 line %09d %s\\n" % (number, b"x" * 74) for number in range(first, first + 80)]
    sys.stdout.buffer.write(b"".join(lines))
"""
#: What a machine that only has Ray holds: a driver, and as many workers as it has CPUs.
PLAIN_RAY = """
import sys, time, ray
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, _temp_dir=sys.argv[1])
wait = ray.remote(lambda: time.sleep(1))
ray.get([wait.remote() for _ in range(2)])
print("up", flush=True)
sys.stdin.read()
"""
#: Ray with its dashboard and a driver, which is the least that a server of ours has to wait for.
RAY_UP = """
import sys, ray
ray.init(num_cpus=2, include_dashboard=True, object_store_memory=100_000_000, _temp_dir=sys.argv[1])
print("up", flush=True)
"""
#: Tells when its first line was printed, and imports something large before that.
FIRST_LINE = "import {module}, time\nprint(time.time_ns(), flush=True)\n"
REST_SECONDS = 30
#: CPU time of a control group of version 1, in nanoseconds.
CPU_GROUP = Path("/sys/fs/cgroup/cpuacct/runyard-side-by-side")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took: seconds by the clock, and of CPU where that is counted."""

    seconds: float
    cpu_seconds: float | None


@dataclass(slots=True)
class Yard:
    """The two that are compared, and a folder for what they need."""

    session: TestSession
    folder: Path
    loop: BareLoop

    def batch(self, command: list[str], count: int, **more: object) -> None:
        """Run a command many times, as one batch."""
        run = {"command": command, **SMALL, **more}
        ended = self.session.submit_batch({"runs": [run] * count}, None)
        ended.wait()

    def script(self, count: int, source: str, **more: object) -> None:
        """Run a script many times, as one batch."""
        script = self.folder / "program.py"
        script.write_text(source)
        run = {"script": str(script), "module_id": "program", **SMALL, **more}
        self.session.submit_batch({"runs": [run] * count}, None).wait()


def main() -> None:
    """Serve, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--work", default="rest,W1,W2,W2w,W3,W4,W5,W5L,W6,start,warm,up")
    options.add_argument(
        "--peers", action="store_true", help="other schedulers that are installed, in our place"
    )
    chosen = options.parse_args()
    _count_cpu()
    if chosen.peers:
        peers(chosen.rounds)
        return
    with (
        tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder,
        _marked(folder, SETTINGS) as session,
        BareLoop(Path(folder), LIMIT) as loop,
    ):
        yard = Yard(session, Path(folder), loop)
        yard.batch(TRUE, 50)
        print("| work | asyncio loop | runyard | ratio, lowest to highest |\n| --- | ---: | ---: | ---: |")
        for name in chosen.work.split(","):
            WORKS[name](yard, chosen.rounds)


@contextlib.contextmanager
def _marked(folder: str, settings: str) -> Iterator[TestSession]:
    """Serve; by its TMPDIR everything that is started there can be known."""
    os.environ["TMPDIR"] = folder
    with embedded(settings) as session:
        del os.environ["TMPDIR"]
        yield session


def peers(rounds: int) -> None:
    """Print what others make of the same commands, against the same loop."""
    print("| scheduler | asyncio loop | scheduler | ratio, lowest to highest |\n| --- | ---: | ---: | ---: |")
    works = (
        ("`true`", TRUE, 300),
        ("`python -S -c pass`", PYTHON, 200),
        ("`sleep 0.2`", ["sleep", "0.2"], 100),
    )
    with (
        tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder,
        BareLoop(Path(folder), LIMIT) as loop,
    ):
        for name, peer in installed().items():
            with peer(LIMIT) as batch:
                batch(TRUE, 2 * LIMIT)
                for what, command, count in works:
                    _compare(
                        f"{name}, {count} times {what}",
                        count,
                        rounds,
                        lambda c=command, n=count: loop.batch(c, n),
                        lambda b=batch, c=command, n=count: b(c, n),
                    )


def w1(yard: Yard, rounds: int) -> None:
    """300 times the shortest program there is."""
    _compare(
        "W1, 300 times `true`", 300, rounds, lambda: yard.loop.batch(TRUE, 300), lambda: yard.batch(TRUE, 300)
    )


def w2(yard: Yard, rounds: int) -> None:
    """200 interpreters."""
    _compare(
        "W2, 200 times `python -S -c pass`",
        200,
        rounds,
        lambda: yard.loop.batch(PYTHON, 200),
        lambda: yard.batch(PYTHON, 200),
    )


def w2_warm(yard: Yard, rounds: int) -> None:
    """200 empty scripts as copies of one interpreter, against as many interpreters."""
    yard.script(1, "pass", warm=True)
    _compare(
        "W2, warm",
        200,
        rounds,
        lambda: yard.loop.batch(PYTHON, 200),
        lambda: yard.script(200, "pass", warm=True),
    )


def w3(yard: Yard, rounds: int) -> None:
    """100 sleeps of 0.2 s, ten at a time: two seconds when nothing is lost between them."""
    sleep = ["sleep", "0.2"]
    _compare(
        "W3, 100 times `sleep 0.2`",
        100,
        rounds,
        lambda: yard.loop.batch(sleep, 100),
        lambda: yard.batch(sleep, 100),
    )


def w4(yard: Yard, rounds: int) -> None:
    """One submit at a time, until its process runs, and until its end is known."""
    command = ["date", "+%s%N"]
    starts: list[list[float]] = [[], []]
    ends: list[list[float]] = [[], []]
    for _ in range(20 * rounds):
        for side, run in enumerate(
            (lambda c: _ran_and_known(*yard.loop.single(c)), lambda c: _submitted(yard, c))
        ):
            begin = time.time()
            ran_at, known_at = run(command)
            starts[side].append(ran_at - begin)
            ends[side].append(known_at - begin)
            time.sleep(0.02)
    _row("W4, until the process runs, p50 in ms", [statistics.median(s) * 1e3 for s in starts])
    _row("W4, until the end is known, p50 in ms", [statistics.median(s) * 1e3 for s in ends])


def w5(yard: Yard, rounds: int) -> None:
    """One run that prints 200 MB, against the same straight into a file."""
    command = [sys.executable, "-c", LINES]
    numbers = itertools.count()

    def straight() -> None:
        # Into a new file, as a run does: one that has its blocks already takes half the time.
        with (yard.folder / f"straight-{next(numbers)}").open("wb") as file:
            subprocess.run(command, stdout=file, check=True)

    _compare("W5, 200 MB of output", 1, rounds, straight, lambda: yard.batch(command, 1))


def w5_live(yard: Yard, rounds: int) -> None:
    """How long after it was printed a reader of the stream has a line."""
    del rounds
    run = yard.session.submit({"command": [sys.executable, "-c", TICK], **SMALL}, None)
    late = [time.time() - int(line) / 1e9 for line in run.follow() if line.strip()]
    print(
        f"| W5, a live reader has a line after | | {statistics.median(late) * 1e3:.1f} ms p50 | |", flush=True
    )


def w6(yard: Yard, rounds: int) -> None:
    """10,000 at once: accepted, then done."""
    del rounds
    yard.session.client.pause()
    begin = time.perf_counter()
    batch = yard.session.submit_batch({"runs": [{"command": TRUE, **SMALL}] * 10_000}, None)
    accepted = time.perf_counter() - begin
    yard.session.client.resume()
    begin = time.perf_counter()
    batch.wait()
    drained = (time.perf_counter() - begin) / 10_000 * 1e3
    loop = _timed(lambda: yard.loop.batch(TRUE, 2_000)).seconds / 2_000 * 1e3
    print(f"| W6, 10,000 durable after | | {accepted:.2f} s | |")
    _row("W6, 10,000 drained, ms a run", [loop, drained])


def start(yard: Yard, rounds: int) -> None:
    """What the command line and an import take."""
    environ = {**os.environ, "RUNYARD_DATA_DIR": str(yard.session.data_dir.path)}
    for name, command in (
        ("`import runyard`", [sys.executable, "-c", "import runyard"]),
        ("`python -c pass`, for comparison", [sys.executable, "-c", "pass"]),
        ("`runyard ps`", [sys.executable, "-m", "runyard", "ps"]),
    ):
        took = [
            _timed(lambda c=command: subprocess.run(c, env=environ, capture_output=True, check=True)).seconds
            for _ in range(5 * rounds)
        ]
        print(f"| {name} | | {statistics.median(took) * 1e3:.0f} ms | |", flush=True)


def warm(yard: Yard, rounds: int) -> None:
    """How long after its process began a module that imports much prints its first line, cold and warm."""
    for module in ("numpy", "torch"):
        if importlib.util.find_spec(module):
            source = FIRST_LINE.format(module=module)
            cold = _first_line(yard, source, rounds)
            copied = _first_line(yard, source, rounds, warm=True, preload=[module])
            print(
                f"| first line after `import {module}` | cold {cold:.1f} ms | warm {copied:.1f} ms "
                f"| {cold / copied:.0f} times sooner |",
                flush=True,
            )


def _first_line(yard: Yard, source: str, rounds: int, **more: object) -> float:
    script = yard.folder / "first_line.py"
    script.write_text(source)
    run = {"script": str(script), "module_id": "first line", **SMALL, **more}
    took = []
    for _ in range(5 * rounds + 1):
        one = yard.session.submit(run, None)
        one.wait()
        began = datetime.fromisoformat(one.fields["started_at"]).timestamp()
        took.append((int(one.log()) / 1e9 - began) * 1e3)
    # The first one may have waited for the interpreter that is copied.
    return statistics.median(took[1:])


def up(yard: Yard, rounds: int) -> None:
    """`runyard up` until it is ready, against a Ray with its dashboard until it has a driver."""
    del yard
    pairs = [(_ray_up(), _runyard_up()) for _ in range(rounds)]
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    more = sorted(b - a for a, b in pairs)
    print(
        f"| `runyard up`, above Ray's start | {theirs:.2f} s | {ours:.2f} s "
        f"| {statistics.median(more):+.2f} s, {more[0]:+.2f} to {more[-1]:+.2f} |",
        flush=True,
    )


def _ray_up() -> float:
    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        environ = {**os.environ, "RAY_AUTH_MODE": "disabled"}
        command = [sys.executable, "-c", RAY_UP, folder]
        return _timed(lambda: subprocess.run(command, env=environ, capture_output=True, check=True)).seconds


def _runyard_up() -> float:
    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        environ = {**os.environ, "RUNYARD_DATA_DIR": folder}
        runyard = [sys.executable, "-m", "runyard"]

        def call(*arguments: str) -> None:
            subprocess.run([*runyard, *arguments], env=environ, capture_output=True, check=True)

        took = _timed(lambda: call("up", "--detach", "--port", "0")).seconds
        call("down")
        return took


def rest(yard: Yard, rounds: int) -> None:
    """What everything holds and uses while nothing runs, above a plain Ray with a driver and two workers."""
    del rounds
    ours = _at_rest(str(yard.folder))
    with tempfile.TemporaryDirectory(prefix="ry-", dir="/tmp") as folder:
        command = [sys.executable, "-c", PLAIN_RAY, folder]
        environ = {**os.environ, "TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as plain:
            assert plain.stdout is not None and plain.stdin is not None
            plain.stdout.readline()
            theirs = _at_rest(folder)
            plain.stdin.close()
    for name, one, other, unit in zip(("PSS", "CPU"), theirs, ours, ("MB", "% of a core"), strict=True):
        print(
            f"| at rest: {name} of all processes | {one:.1f} {unit} | {other:.1f} {unit} | {other - one:+.1f} |",
            flush=True,
        )


def million(yard: Yard, rounds: int) -> None:
    """A million queued: until they are accepted, their memory, and a start in front of them."""
    del yard, rounds
    _beside("million_queued.py")


def w7(yard: Yard, rounds: int) -> None:
    """Pages of 50 of a million runs by any filter."""
    del yard, rounds
    _beside("history_pages.py", "--runs", "1000000", "--sample", "8000")


def active(yard: Yard, rounds: int) -> None:
    """500 active runs, and what all processes of ours hold for them."""
    del yard, rounds
    _beside("load.py", "--minutes", "1", "--queued", "1000", "--listeners", "1", "--clients", "1")


def _beside(script: str, *arguments: str) -> None:
    """Have another script of this folder measure, and print its own table."""
    print(f"\n`python tests/benchmarks/{' '.join((script, *arguments))}`\n", flush=True)
    subprocess.run([sys.executable, str(Path(__file__).with_name(script)), *arguments], check=True)


def _at_rest(mark: str) -> tuple[float, float]:
    """Return what all that has that TMPDIR holds, in MB, shared pages divided, and uses, in percents of a core."""
    # What only served the runs before has ended by now: idle shims, warm interpreters.
    time.sleep(REST_SECONDS)
    all_of_it = [process for process in psutil.process_iter() if has_mark(process, mark)]
    before = sum(sum(process.cpu_times()[:2]) for process in all_of_it)
    time.sleep(REST_SECONDS)
    used = sum(sum(process.cpu_times()[:2]) for process in all_of_it if process.is_running()) - before
    return sum(pss_bytes(process.pid) for process in all_of_it) / 1e6, used / REST_SECONDS * 100


def _compare(name: str, count: int, rounds: int, loop: Callable[[], None], ours: Callable[[], None]) -> None:
    pairs = [(_timed(loop), _timed(ours)) for _ in range(rounds)]
    ratios = sorted(b.seconds / a.seconds for a, b in pairs)
    shown = [_shown([pair[side] for pair in pairs], count) for side in (0, 1)]
    print(
        f"| {name} | {shown[0]} | {shown[1]} | {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f} |",
        flush=True,
    )


def _shown(costs: list[Cost], count: int) -> str:
    wall = statistics.median(cost.seconds for cost in costs) / count * 1e3
    cpu = [cost.cpu_seconds for cost in costs if cost.cpu_seconds is not None]
    return f"{wall:.2f} ms" + (f", CPU {statistics.median(cpu) / count * 1e3:.2f} ms" if cpu else "")


def _row(name: str, sides: list[float]) -> None:
    print(f"| {name} | {sides[0]:.2f} | {sides[1]:.2f} | {sides[1] / sides[0]:.2f} |", flush=True)


def _timed(work: Callable[[], object]) -> Cost:
    cpu, begin = _cpu_used(), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - begin, _cpu_used()
    return Cost(seconds, None if cpu is None or after is None else after - cpu)


def _ran_and_known(output: bytes, known_at: float) -> tuple[float, float]:
    """Return when the process ran, by what it printed, and when its end was known."""
    return int(output) / 1e9, known_at


def _submitted(yard: Yard, command: list[str]) -> tuple[float, float]:
    run = yard.session.submit({"command": command, **SMALL}, None)
    run.wait()
    known_at = time.time()
    return _ran_and_known(run.log().encode(), known_at)


def _count_cpu() -> None:
    """Have all that is started from here counted together, where that is allowed."""
    with contextlib.suppress(OSError):
        CPU_GROUP.mkdir(exist_ok=True)
        (CPU_GROUP / "cgroup.procs").write_text(str(os.getpid()))


def _cpu_used() -> float | None:
    try:
        return int((CPU_GROUP / "cpuacct.usage").read_text()) / 1e9
    except OSError:
        return None


WORKS: dict[str, Callable[[Yard, int], None]] = {
    "W1": w1,
    "W2": w2,
    "W2w": w2_warm,
    "W3": w3,
    "W4": w4,
    "W5": w5,
    "W5L": w5_live,
    "W6": w6,
    "start": start,
    "warm": warm,
    "up": up,
    "rest": rest,
    "million": million,
    "W7": w7,
    "active": active,
}


if __name__ == "__main__":
    main()
