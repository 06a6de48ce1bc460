"""Load a whole server with a real Ray for minutes, and see what grows, what gets slow, and what gets lost.

    python tests/benchmarks/load.py [--minutes 10] [--active 500] [--queued 100000] [--listeners 200] [--clients 50]

Modules that sleep fill the slots and end again; behind them runs wait in the queue, listeners follow all events, and
clients submit, look at everything and cancel. Printed is the memory (PSS) of all our processes by the number of
active runs and over time, the 95th percentile of every endpoint, and whether anything was dropped; if so, the exit
code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard.server.up import cancel_all
from tests.benchmarks.load_clients import Account, clients
from tests.benchmarks.load_memory import KINDS, Sample, owned, sample
from tests.integration.conftest import TestSession, embedded
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
SETTINGS = 'cpu_busy_percent = 0\nreserve_memory = "64MiB"\ngrace = "2s"\n'
#: What clients submit waits behind everything else.
PATIENT = {"command": ["sleep", "60"], "num_cpus": 0.001, "memory": "8MiB", "priority": -1}
#: A call that a busy machine answers within the patience of its client.
BATCH = 2_000
START_SECONDS = 600.0
#: After so long nothing of a start is left to do.
SETTLE_SECONDS = 5.0
#: The servers' grace for runs that are cancelled.
GRACE_SECONDS = 2.0
MIB = 2**20


class Load:
    """One server under load."""

    def __init__(self, session: TestSession, asked: argparse.Namespace) -> None:
        self.session = session
        self.asked = asked
        self.server = int(session.server()["pid"])
        self.began = time.monotonic()
        self.ramp: list[Sample] = []
        self.samples: list[Sample] = []
        self.batches: list[str] = []
        self.accepted: list[str] = []
        self.chance = random.Random(1)

    def look(self) -> Sample:
        """Take a sample of the memory."""
        active = self.session.client.resources()["semaphore"]["active"]
        return sample(time.monotonic() - self.began, active, self.session.data_dir, self.server)

    def submit(self, count: int, shortest: int, longest: int) -> None:
        """Submit so many runs that sleep for so long."""
        for start in range(0, count, BATCH):
            rows = [self._row(shortest, longest) for _ in range(min(BATCH, count - start))]
            answer = self.session.client.submit_batch({"runs": rows})
            self.batches.append(answer["batch_id"])
            self.accepted += [run["run_id"] for run in answer["runs"]]

    def fill(self) -> None:
        """Fill the slots in four steps, and then the queue."""
        for step in range(1, 5):
            wanted = self.asked.active * step // 4
            self.submit(wanted - len(self.accepted), self.asked.sleep * 4, self.asked.sleep * 6)
            wait_until(lambda: len(self.shims()) >= wanted, START_SECONDS, f"{wanted} runs are active")  # noqa: B023 - waited for here
            time.sleep(SETTLE_SECONDS)
            self.ramp.append(self.look())
            print(f"{self.ramp[-1].active} runs are active", flush=True)
        began = time.monotonic()
        self.submit(self.asked.queued, self.asked.sleep, self.asked.sleep * 2)
        print(f"{self.asked.queued:,} runs are queued after {time.monotonic() - began:.1f} s", flush=True)

    def shims(self) -> list[int]:
        """Return the supervisors that own a run."""
        return [pid for kind, pid in owned(self.session.data_dir, self.server) if kind == "shim"]

    def sample_until(self, end: float) -> None:
        """Take a sample now and then."""
        while time.monotonic() < end:
            self.samples.append(self.look())
            time.sleep(max(0.0, min(self.asked.sample, end - time.monotonic())))
        self.samples.append(self.look())

    def _row(self, shortest: int, longest: int) -> dict[str, Any]:
        return {**PATIENT, "command": ["sleep", str(self.chance.randint(shortest, longest))], "priority": 0}


class Listeners:
    """The process of those who listen."""

    def __init__(self, session: TestSession, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load_listeners", session.client.url, str(count)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._tell(session.data_dir.token())
        assert self._process.stdout is not None
        self.opened = int(self._process.stdout.readline())

    def accounts(self, last: int) -> list[dict[str, int]]:
        """Return each one's account, once all have heard the event of that number."""
        self._tell(last)
        found: list[dict[str, int]] = json.loads(self._process.communicate()[0])
        return found

    def _tell(self, what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()


def main() -> None:
    """Serve, load, judge, print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--active", type=int, default=500)
    options.add_argument("--queued", type=int, default=100_000)
    options.add_argument("--listeners", type=int, default=200)
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--sleep", type=int, default=60, help="seconds of a module; up to twice as long")
    options.add_argument("--sample", type=float, default=15.0, help="seconds between two looks at the memory")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ry-load-", dir="/tmp") as mark:
        # By it everything that the server starts can be known.
        os.environ["TMPDIR"] = mark
        with embedded(f"max_concurrent_runs = {asked.active}\n{SETTINGS}", up=True) as session:
            load = Load(session, asked)
            wrong = loaded(load)
            # What runs on when its server leaves would run on beside whatever is measured next.
            for batch_id in load.batches:
                session.client.cancel_batch(batch_id)
            cancel_all(session.client, GRACE_SECONDS)
    print("\n".join(wrong) or "nothing was dropped")
    sys.exit(bool(wrong))


def loaded(load: Load) -> list[str]:
    """Do all of it; return what is wrong."""
    session, asked = load.session, load.asked
    load.fill()
    account = Account(active=load.accepted[: asked.active], batches=load.batches)
    listeners = Listeners(session, asked.listeners)
    used = cpu(load)
    end = time.monotonic() + asked.minutes * 60
    work = clients(session.client.url, session.data_dir.token(), asked.clients, PATIENT, account, end)
    thread = threading.Thread(target=lambda: asyncio.run(work), name="clients")
    thread.start()
    load.sample_until(end)
    thread.join()
    print_memory(load)
    print_cpu(used, cpu(load), asked.minutes * 60)
    print_times(account)
    events = Events(session.data_dir.database)
    wrong = [f"{count} times {what}" for what, count in account.wrong.items()]
    wrong += dropped(listeners.accounts(events.last), events)
    missing = events.missing([*load.accepted, *account.accepted])
    print(f"{len(load.accepted) + len(account.accepted):,} runs were accepted, {missing} are not there")
    return wrong + ([f"{missing} accepted runs are not there"] if missing else [])


class Events:
    """The store, to hold what was heard and accepted against."""

    def __init__(self, database: Path) -> None:
        self._path = f"file:{database}?mode=ro"
        self.last = self._one("SELECT max(seq) FROM events")

    def count(self, opened: int, last: int) -> int:
        """Return how many there are after the one number, and up to the other."""
        return self._one("SELECT count(*) FROM events WHERE seq > ? AND seq <= ?", opened, last)

    def missing(self, run_ids: Sequence[str]) -> int:
        """Return how many of these are not there."""
        with closing(sqlite3.connect(self._path, uri=True, timeout=10)) as store:
            stored = {row[0] for row in store.execute("SELECT run_id FROM runs")}
        return len(set(run_ids) - stored)

    def _one(self, query: str, *values: int) -> int:
        with closing(sqlite3.connect(self._path, uri=True, timeout=10)) as store:
            return int(store.execute(query, values).fetchone()[0])


def dropped(accounts: Sequence[dict[str, int]], events: Events) -> list[str]:
    """Say who of the listeners missed something."""
    wrong = []
    for number, each in enumerate(accounts):
        there = events.count(each["opened"], each["last"])
        if each["count"] != there or each["last"] < events.last:
            wrong.append(f"listener {number} heard {each['count']} of {there} events, up to {each['last']}")
    heard = sum(each["count"] for each in accounts)
    again = sum(each["connections"] - 1 for each in accounts)
    repeated = sum(each["repeated"] for each in accounts)
    usage = [each["usage"] for each in accounts]
    print(
        f"{len(accounts)} listeners heard {heard:,} events, {repeated} of them twice, connected {again} times "
        f"again, and heard of usage {min(usage, default=0)} to {max(usage, default=0)} times"
    )
    return wrong


def print_memory(load: Load) -> None:
    """Print the memory by the number of active runs, then over time, and how fast it grew in the second half."""
    print(f"\n| s | active | {' | '.join(KINDS)} | all of ours | shims |")
    print(f"| ---: | ---: |{' ---: |' * (len(KINDS) + 2)}")
    shown = load.samples[:: max(1, len(load.samples) // 12)]
    for each in [*load.ramp, *shown]:
        cells = (f"{each.bytes[kind] / MIB:.0f}" for kind in KINDS)
        shims = each.processes["shim"]
        print(f"| {each.at:.0f} | {each.active} | {' | '.join(cells)} | {each.ours / MIB:.0f} | {shims} |")
    slope, fit = statistics.linear_regression([s.active for s in load.ramp], [s.ours for s in load.ramp])
    off = max(abs(s.ours - slope * s.active - fit) for s in load.ramp)
    print(
        f"\nof ours, {slope / MIB:.2f} MiB for each active run and {fit / MIB:.0f} MiB without, at most "
        f"{off / MIB:.1f} MiB off a straight line"
    )
    late = load.samples[len(load.samples) // 2 :]
    for kind in KINDS:
        if len(late) > 1:
            growth = statistics.linear_regression([s.at for s in late], [s.bytes[kind] for s in late]).slope
            print(f"{kind}: {growth * 60 / MIB:+.2f} MiB a minute in the second half")


def cpu(load: Load) -> dict[str, float]:
    """Return the CPU seconds that server, manager and spawners have used."""
    found: dict[str, float] = {}
    for kind, pid in owned(load.session.data_dir, load.server):
        if kind in ("server", "manager", "spawner"):
            times = psutil.Process(pid).cpu_times()
            found[kind] = found.get(kind, 0.0) + times.user + times.system
    return found


def print_cpu(before: dict[str, float], after: dict[str, float], seconds: float) -> None:
    """Print the share of a core that each used."""
    shares = (f"{kind} {(after[kind] - before.get(kind, 0.0)) / seconds:.0%}" for kind in after)
    print(f"of a core: {', '.join(shares)}")


def print_times(account: Account) -> None:
    """Print how long each endpoint took."""
    print("\n| endpoint | calls | p50 ms | p95 ms |\n| --- | ---: | ---: | ---: |")
    for name, (calls, median, p95) in account.p95().items():
        print(f"| `{name}` | {calls} | {median * 1e3:.1f} | {p95 * 1e3:.1f} |")
    print()


if __name__ == "__main__":
    main()
