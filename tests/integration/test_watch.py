"""The manager's look at its node goes on, whatever goes wrong in one of its parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.look import NodeLook, NodeMeter
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
        super().__init__(cpu_threshold=101.0, has_gpus=False)
        self.failures = 0

    def look(self, attempts: Sequence[ActiveRun], *, spawners: Sequence[int] = ()) -> NodeLook:
        if self.failures < 2:
            self.failures += 1
            raise KeyError("something nobody thought of")
        return super().look(attempts, spawners=spawners)


class HasNoSense(NodeMeter):
    """A meter that says of the GPUs what no step after it can read."""

    def look(self, attempts: Sequence[ActiveRun], *, spawners: Sequence[int] = ()) -> NodeLook:
        return dataclasses.replace(super().look(attempts, spawners=spawners), gpus=cast(Any, None))


def test_a_look_that_fails_is_not_the_last_one(tmp_path: Path) -> None:
    meter = FailsAtFirst()
    with in_process(tmp_path, meter=meter) as server:
        wait_until(lambda: server.manager._yard.look, 20, "a look that works")
    assert meter.failures == 2


def test_a_step_that_fails_for_good_keeps_no_other_from_its_work(tmp_path: Path) -> None:
    meter = HasNoSense(cpu_threshold=101.0, has_gpus=False)
    with in_process(tmp_path, meter=meter) as server, server.client() as client:
        run_id = client.submit({"command": python(REPORTS)})["run_id"]
        wait_until(lambda: client.run(run_id)["message"] == "half", 20, "its report")
