"""What a shim says of its run's end is taken as the record that it left, and what makes no sense is not."""

from __future__ import annotations

import asyncio
import json
import socket
import sys

import pytest

from runyard_actors.shim.launch import LaunchReport
from runyard_actors.spawner.client import Line, Spawner
from runyard_actors.spawner.spawners import Launched

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no line where nothing can fork")

EXIT = {"exit_code": 3, "reason": "exit_code", "ended_by": "self", "ended_at": 17, "started_at": 12}


@pytest.mark.parametrize(
    ("said", "record"),
    [
        ({"event": "ended", "exit": EXIT}, EXIT),
        ({"event": "ended", "exit": {**EXIT, "surprise": 1}}, EXIT),
        ({"event": "ended", "exit": {"exit_code": 3}}, None),
        ({"event": "ended", "exit": None}, None),
        ({"event": "ended"}, None),
        (None, None),
    ],
)
def test_the_end_is_told_on_the_line_or_the_folder_has_to_tell(
    said: dict[str, object] | None, record: dict[str, object] | None
) -> None:
    async def told() -> dict[str, object] | None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        spawner = Spawner(["unused"], {})
        with theirs:
            if said:
                theirs.sendall(json.dumps(said).encode() + b"\n")
            theirs.shutdown(socket.SHUT_WR)
            found = await Launched(LaunchReport(event="started"), Line(ours), spawner).ended()
        spawner.close()
        ours.close()
        return found

    assert asyncio.run(told()) == record
