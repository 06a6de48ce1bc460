"""The manager's look at its node goes on, whatever goes wrong in one of its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from runyard_actors.measure import NodeMeasure, Watched
from runyard_actors.node_meter import NodeMeter
from tests.in_process import in_process
from tests.support import python, wait_until

REPORTS = """
import json, os, time
with open(os.environ['RUNYARD_REPORT'], 'a') as file:
    file.write(json.dumps({'message': 'half'}) + '\\n')
time.sleep(60)
"""


class FailsAtFirst(NodeMeter):
    """A meter of which the first looks fail in a way that nobody thought of."""

    def __init__(self) -> None:
        super().__init__(has_gpus=False)
        self.failures = 0

    def look(self, runs: Sequence[Watched], *, spawners: Sequence[int], busy_from: float) -> NodeMeasure:
        if self.failures < 2:
            self.failures += 1
            raise KeyError("something nobody thought of")
        return super().look(runs, spawners=spawners, busy_from=busy_from)


class HasNoSense(NodeMeter):
    """A meter that says of the GPUs what no step after it can read."""

    def look(self, runs: Sequence[Watched], *, spawners: Sequence[int], busy_from: float) -> NodeMeasure:
        return dataclasses.replace(
            super().look(runs, spawners=spawners, busy_from=busy_from), gpus=cast(Any, None)
        )


def test_a_look_that_fails_is_not_the_last_one(tmp_path: Path) -> None:
    meter = FailsAtFirst()
    with in_process(tmp_path, meter=meter) as server:
        wait_until(lambda: server.manager._yard.look, 20, "a look that works")
    assert meter.failures == 2


def test_a_step_that_fails_for_good_keeps_no_other_from_its_work(tmp_path: Path) -> None:
    meter = HasNoSense(has_gpus=False)
    with in_process(tmp_path, meter=meter) as server, server.client() as client:
        run_id = client.submit({"command": python(REPORTS)})["run_id"]
        wait_until(lambda: client.run(run_id)["message"] == "half", 20, "its report")


#: Holds what it is told, tells that, and goes on when it is let.
GROWS = """
import os, sys, time
held = []
for size, gate in zip(sys.argv[1::2], sys.argv[2::2]):
    held.append(b'x' * (int(size) << 20))
    while not os.path.exists(gate):
        time.sleep(0.02)
"""


def test_a_run_near_its_memory_is_warned_at_each_share_and_goes_on(tmp_path: Path) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    with in_process(tmp_path) as server, server.client() as client:
        command = python(GROWS, "162", str(gates[0]), "20", str(gates[1]))
        run_id = client.submit({"command": command, "memory": "200MiB", "num_cpus": 1})["run_id"]

        def percent() -> int:
            words = client.run(run_id)["warning"] or " 0 %"
            return int(words[: words.index(" %")].rpartition(" ")[2])

        wait_until(lambda: 80 <= percent() < 90, 60, "the first warning")
        gates[0].touch()
        wait_until(lambda: percent() >= 90, 60, "the second warning")
        gates[1].touch()
        (ended,) = client.wait([run_id])
        assert ended["status"] == "completed"
        events = [e for e in server.context.reader.events(0, 1_000) if e["kind"] == "run_warned"]
        assert [e["data"]["warning"].partition("% ")[2] for e in events] == ["of its limit of 200 MiB"] * 2
