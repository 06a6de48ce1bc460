"""Kill whatever can be killed, at random, while hundreds of mixed runs go on, and see whether every promise holds.

    python tests/faults/chaos.py --minutes 10 --runs 500 --seed N

A real server with a real Ray. Every one to three seconds one process of ours or of Ray's is killed, the next one once
the service answers again, or at once in a quarter of the cases. Modules are never killed. Prints what was killed how
often, and what it cost; the exit code is 1 if anything was broken.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults.chaos_leaks import leaks
from tests.faults.chaos_verdict import History, Key, Verdict, judge
from tests.faults.chaos_victims import FAULTS, Victim, kill, victims
from tests.faults.chaos_watch import LEFT_SECONDS, Watcher
from tests.faults.chaos_workload import WHOLE, Planned, batches, write_scripts
from tests.faults.chaos_yard import SLOTS, ChaosYard, chaos_yard

PAUSE_SECONDS = 1.0, 3.0
#: Between kills where everything is back at once.
SHORT_PAUSE_SECONDS = 0.05, 0.6
#: How often the next kill does not wait for the service to be back.
IMPATIENCE = 0.25
#: All runs have ended this long after the last kill.
DRAIN_SECONDS = 240.0


@dataclass(slots=True)
class Kill:
    """One kill: what it was, and which attempts were active then."""

    fault: str
    active: set[str]


@dataclass(slots=True)
class Chaos:
    """One experiment."""

    yard: ChaosYard
    watcher: Watcher
    chance: random.Random
    pause: tuple[float, float] = PAUSE_SECONDS
    kills: list[Kill] = field(default_factory=list)
    killed_shims: set[Key] = field(default_factory=set)
    accepted: list[list[Planned]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def submit_all(self, runs: int, seconds: float) -> None:
        """Submit that many runs, spread over that time, each batch until somebody answers."""
        began, sent = time.monotonic(), 0
        chance = random.Random(self.chance.random())
        for number, batch in enumerate(batches(runs, chance)):
            body = {"runs": [planned.body(self.yard.folder) for planned in batch]}
            answer = self.yard.call("POST", "/api/batches", body, f"batch {number}")
            if answer.status_code != 202:
                self.troubles.append(f"batch {number} was refused: {answer.text[:300]}")
                continue
            for planned, run in zip(batch, answer.json()["runs"], strict=True):
                planned.run_id = run["run_id"]
            self.accepted.append(batch)
            sent += len(batch)
            self._cancel(batch)
            due = began + seconds * sent / runs
            self.is_over.wait(max(0.0, due - time.monotonic()))

    def _cancel(self, batch: Sequence[Planned]) -> None:
        for planned in batch:
            if planned.kind.is_cancelled:
                answer = self.yard.call("POST", f"/api/runs/{planned.run_id}/cancel")
                if answer.status_code not in (200, 202):
                    self.troubles.append(f"a cancel was answered {answer.status_code}: {answer.text[:200]}")

    def kill_for(self, seconds: float, most: int) -> None:
        """Kill at random, for so long or so often."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.kills) < most:
            self.is_over.wait(self.chance.uniform(*self.pause))
            self.kill_one()
            if self.chance.random() >= IMPATIENCE and not self.yard.wait_until_it_answers(lambda: False):
                words = f"nobody answered after {self.kills[-1].fault} was killed; the server's log ends so:"
                self.troubles.append(f"{words}\n{self.yard.last_words()}")
                return
        if not self.yard.wait_until_it_answers(lambda: False):
            self.troubles.append("nobody answers at the end")

    def kill_one(self) -> None:
        """Kill one process of a sort drawn by chance."""
        found: dict[str, list[Victim]] = {}
        for victim in victims(self.yard.data_dir, str(self.yard.temp), self.yard.service.pid()):
            found.setdefault(victim.fault, []).append(victim)
        if not found:
            return
        faults = sorted(found)
        fault = self.chance.choices(faults, [FAULTS[f] for f in faults])[0]
        victim = self.chance.choice(found[fault])
        try:
            run = kill(victim, self.yard.data_dir)
        except psutil.NoSuchProcess:
            return
        if run:
            self.killed_shims.add(run)
        self.kills.append(Kill(fault, {v.run[0] for v in found.get("shim", ()) if v.run}))

    def drain(self) -> None:
        """Wait until every run has ended."""
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end:
            self.yard.wait_until_it_answers(lambda: False)
            counts = self.yard.call("GET", "/api/resources").json()["semaphore"]
            if not counts["active"] and not counts["queued"]:
                return
            time.sleep(0.5)


@dataclass(slots=True)
class Result:
    """What an experiment showed."""

    chaos: Chaos
    verdict: Verdict
    leaked: list[str]
    starts: int

    @property
    def broken(self) -> list[str]:
        """Every promise that was not kept, in words."""
        watcher = self.chaos.watcher
        left = [f"left behind: {run} {number}: {what}" for (run, number), what in watcher.left_behind.items()]
        return [
            *self.verdict.words,
            *left,
            *(f"above the limits: {what}" for what in watcher.too_much[:5]),
            *(f"leaked: {what}" for what in self.leaked),
            *self.chaos.troubles,
        ]

    def table(self) -> str:
        """Return the table of faults: a run counts where it was active when that was killed."""
        lines = [
            "| killed | times | active runs then | lost | twice | left behind |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        left = {run for run, _ in self.chaos.watcher.left_behind}
        counts = Counter(kill.fault for kill in self.chaos.kills)
        for fault in FAULTS:
            hit = set().union(*(k.active for k in self.chaos.kills if k.fault == fault))
            cells = [
                counts[fault],
                len(hit),
                *(len(hit & set(s)) for s in (self.verdict.lost, self.verdict.twice, left)),
            ]
            lines.append(f"| {fault} | {' | '.join(map(str, cells))} |")
        return "\n".join(lines)


def run_chaos(
    *, seed: int, runs: int, seconds: float, has_ray: bool = True, most_kills: int = 10**9
) -> Result:
    """Do the whole experiment; returns when everything has ended."""
    with chaos_yard(has_ray=has_ray) as yard:
        write_scripts(yard.folder)
        nodes = yard.call("GET", "/api/resources").json()["nodes"]
        cpu_milli = round(sum(node["capacity"]["num_cpus"] for node in nodes) * WHOLE)
        watcher = Watcher(yard.folder, yard.data_dir.database, SLOTS, cpu_milli)
        chaos = Chaos(yard, watcher, random.Random(seed), PAUSE_SECONDS if has_ray else SHORT_PAUSE_SECONDS)
        watcher.start()
        submitter = threading.Thread(target=chaos.submit_all, args=(runs, seconds * 0.8), name="submitter")
        submitter.start()
        try:
            chaos.kill_for(seconds, most_kills)
            submitter.join()
            chaos.drain()
            time.sleep(LEFT_SECONDS + 1)
        finally:
            chaos.is_over.set()
            submitter.join()
            watcher.stop()
        history = History(yard.data_dir.database)
        starts = watcher.starts()
        verdict = judge(history, chaos.accepted, starts, chaos.killed_shims, yard.data_dir.runs)
        return Result(chaos, verdict, leaks(yard), len(starts))


def enter_without_groups() -> None:
    """Go on in a namespace in which no control group is to be seen, as on machines that lend none to their users."""
    arguments = [a for a in sys.argv if a != "--without-groups"]
    hide = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", hide, "sh", sys.executable, *arguments])


def main() -> None:
    """Do it as long and as often as asked, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--without-ray", action="store_true", help="server and manager in one process")
    parser.add_argument(
        "--without-groups", action="store_true", help="where no control group can be made; needs root"
    )
    asked = parser.parse_args()
    if asked.without_groups:
        enter_without_groups()
    result = run_chaos(
        seed=asked.seed, runs=asked.runs, seconds=asked.minutes * 60, has_ray=not asked.without_ray
    )
    watcher, chaos = result.chaos.watcher, result.chaos
    accepted = sum(map(len, chaos.accepted))
    print(f"seed {asked.seed}: {len(chaos.kills)} kills, {accepted} runs, {result.starts} starts")
    print(
        f"at most {watcher.most_runs} of {watcher.slots} slots and {watcher.most_cpu / WHOLE:g} CPUs at once"
    )
    print(f"the service was back after {chaos.yard.slowest_recovery:.1f} s at most")
    print(result.table())
    print("\n".join(result.broken) or "every promise was kept")
    sys.exit(bool(result.broken))


if __name__ == "__main__":
    main()
