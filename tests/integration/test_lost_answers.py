"""Calls whose answer is lost on its way: the client sends them again, and what they ask for is done once."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runyard.client import Client
from runyard_cluster.server_record import Endpoint
from tests.in_process import InProcess, in_process
from tests.support import python

RUN = {"command": python("raise SystemExit(3)"), "memory": "64MiB"}


class LosingProxy(socketserver.ThreadingTCPServer):
    """Stands before a server, and breaks the connection in the place of the next answer to each path once."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        address = urlsplit(upstream)
        self.upstream = (address.hostname, address.port)
        self.lost: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Relay(socketserver.StreamRequestHandler):
    server: LosingProxy

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream, upstream.makefile("rb") as answers:
            while request := _message(self.rfile):
                upstream.sendall(request)
                answer = _message(answers)
                path = request.split(b" ", 2)[1].decode()
                if request.startswith(b"POST") and path not in self.server.lost:
                    self.server.lost.append(path)
                    return
                self.wfile.write(answer)


def _message(stream: Any) -> bytes:
    """Return one request or answer, whole; nothing once there is no more."""
    head, length = b"", 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + line + stream.read(length) if head else b""


@contextmanager
def through_losing_proxy(server: InProcess) -> Iterator[tuple[Client, LosingProxy]]:
    """Lend a client that loses the first answer to each call that changes something."""
    with LosingProxy(server.url) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        with Client(locate=lambda: Endpoint(proxy.url, server.token)) as client:
            yield client, proxy
        proxy.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


def total(server: InProcess) -> int:
    """Return how many runs were ever accepted."""
    return server.context.reader.runs(limit=1)[1]


Call = Callable[[Client, str, str], Any]
CALLS: dict[str, tuple[Call, int]] = {
    "submit": (lambda client, run_id, batch_id: client.submit(RUN), 1),
    "submit_batch": (lambda client, run_id, batch_id: client.submit_batch({"runs": [RUN, RUN]}), 2),
    "restart": (lambda client, run_id, batch_id: client.restart(run_id), 1),
    "retry_failed": (lambda client, run_id, batch_id: client.retry_failed(batch_id), 2),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_whose_answer_is_lost_is_done_once(name: str, server: InProcess) -> None:
    call, accepted = CALLS[name]
    with server.client() as direct:
        batch = direct.submit_batch({"runs": [RUN, RUN]})
        ids = [run["run_id"] for run in batch["runs"]]
        assert {run["status"] for run in direct.wait(ids, 60)} == {"failed"}
        before = total(server)
        with through_losing_proxy(server) as (client, proxy):
            answer = call(client, ids[0], batch["batch_id"])
        assert len(proxy.lost) == 1
        assert total(server) == before + accepted
        fresh = [run["run_id"] for run in answer.get("runs", [answer])]
        assert len(direct.wait(fresh, 60)) == accepted


def test_failed_runs_that_two_retry_at_once_are_retried_once(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.client() as client:
        batch = client.submit_batch({"runs": [RUN, RUN]})
        client.wait([run["run_id"] for run in batch["runs"]], 60)
        before = total(server)

        async def twice() -> list[Any]:
            calls = [server.manager.retry_failed(batch["batch_id"], None, None) for _ in range(2)]
            return list(await asyncio.gather(*calls))

        answers = server.call(twice())
        assert sorted(type(a).__name__ for a in answers) == ["Accepted", "Refused"]
        assert total(server) == before + 2
