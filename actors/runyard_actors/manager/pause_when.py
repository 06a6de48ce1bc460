"""Pause when: ask the rules of `pause_when`, and hold new starts for as long as one of them is true."""

from __future__ import annotations

import asyncio
import os

from runyard_actors.manager.yard import Yard
from runyard_actors.steps import Steps
from runyard_cluster.pause import Own, PauseWatch

#: Seconds between two looks; a person who sits down waits no longer for new runs to stay away.
LOOK_SECONDS = 2.0


def first_look(yard: Yard, rules: PauseWatch) -> None:
    """Ask before anything may start: a server that begins in quiet hours begins by waiting."""
    yard.set_paused_while(rules.why(Own()))


async def pause_when(yard: Yard, rules: PauseWatch) -> None:
    """Ask again and again, for ever; without rules there is nothing to do."""
    steps = Steps()
    while rules.has_rules:
        await asyncio.sleep(LOOK_SECONDS)
        await steps.do("asking the rules of pause_when", _ask(yard, rules))


async def _ask(yard: Yard, rules: PauseWatch) -> None:
    yard.set_paused_while(await asyncio.to_thread(rules.why, _own(yard)))


def _own(yard: Yard) -> Own:
    active = list(yard.active.values())
    return Own(
        pids=frozenset({os.getppid(), *(a.started.shim_pid for a in active if a.started)}),
        gpus=frozenset(index for a in active for index in a.placement.gpu_indexes),
    )
