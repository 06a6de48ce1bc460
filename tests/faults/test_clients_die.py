"""F50: callers that die in the middle of a stream cost nothing that stays."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import submit
from tests.support import python, wait_until

#: Dies with a reset, as the connection of a process that was killed with unread data.
ABRUPTLY = struct.pack("ii", 1, 0)
CLIENTS = 100
WRITES = "import time\nwhile True:\n    print('x' * 1000, flush=True)\n    time.sleep(0.001)"


def stream(server: InProcess, path: str) -> socket.socket:
    """Open a stream, and read its beginning."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=20)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
    )
    assert b"200 OK" in connection.recv(200)
    return connection


@pytest.mark.parametrize("path", ["/api/events", "/api/runs/{}/log/stream", "/api/logs/stream?run_id={}"])
def test_clients_that_die_in_a_stream_leave_no_descriptor_and_no_task(path: str, tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as http:
        run_id = submit(http, command=python(WRITES), num_cpus=0.1)["run_id"]
        log = f"/api/runs/{run_id}/log"
        wait_until(lambda: http.get(log, params={"limit": 1}).content, 20, "it writes")
        place = path.format(run_id)

        def held() -> tuple[int, int]:
            return psutil.Process().num_fds(), server.call(tasks())

        def die(number: int) -> None:
            for connection in [stream(server, place) for _ in range(number)]:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
                connection.close()

        die(3)  # whatever is made at the first stream stays
        wait_until(lambda: server.context.hub.listeners == 0, 30, "those are gone")
        before = held()
        for _ in range(CLIENTS // 20):
            die(20)
        wait_until(lambda: server.context.hub.listeners == 0, 60, "no listener is left")
        slack = CLIENTS // 3  # threads come, up to a number, and each keeps its connection to the store
        wait_until(
            lambda: all(now <= then + slack for now, then in zip(held(), before, strict=True)),
            60, "all that they held is given back",
        )  # fmt: skip


async def tasks() -> int:
    """Return how many tasks the server's loop has."""
    import asyncio

    return len(asyncio.all_tasks())
