"""A stream that breaks is taken up again where it broke, however quiet it was before."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from runyard import connection
from runyard.client import Client
from runyard_cluster.errors import ConnectionFailedError
from runyard_cluster.server_record import Endpoint

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#: How long the tests' client is patient, and how much longer a stream is quiet before it breaks.
PATIENCE = 0.3


class BreakingServer:
    """Serves one connection after the other: an event, silence, a break; then, asked again, the rest."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def join(self) -> None:
        self._thread.join()

    def _serve(self) -> None:
        with closing(self.listener):
            with self._accepted() as connection:
                connection.sendall(
                    HEAD + _chunk(b'id: 7\nevent: log\ndata: {"offset": 3, "text": "one "}\n\n')
                )
                for _ in range(4):
                    time.sleep(PATIENCE / 2)
                    connection.sendall(_chunk(b":\n\n"))
            with self._accepted() as connection:
                connection.sendall(
                    HEAD + _chunk(b'id: 9\nevent: log\ndata: {"offset": 7, "text": "two"}\n\n')
                )
                connection.sendall(_chunk(b"event: end\ndata: {}\n\n") + b"0\r\n\r\n")

    def _accepted(self) -> socket.socket:
        connection, _ = self.listener.accept()
        self.requests.append(connection.recv(65536))
        return connection


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[BreakingServer]:
    server = BreakingServer()
    yield server
    server.join()


def test_a_stream_that_was_quiet_for_longer_than_the_patience_goes_on_after_a_break(
    server: BreakingServer,
) -> None:
    with Client(locate=lambda: Endpoint(server.url, "secret")) as client:
        assert b"".join(client.follow_log("r")) == b"one two"
    assert b"last-event-id: 7" in server.requests[1].lower()


def test_a_server_that_stays_away_is_told_after_the_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    start = time.monotonic()
    with (
        Client(locate=lambda: Endpoint(url, "secret")) as client,
        pytest.raises(ConnectionFailedError, match=url),
    ):
        list(client.follow_log("r"))
    assert PATIENCE < time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ReadTimeout(""), "it is silent"),
        (httpx.ConnectError("connection refused"), "connection refused"),
    ],
)
def test_a_server_that_does_not_answer_is_told_from_none(error: httpx.TransportError, words: str) -> None:
    assert str(connection.unanswered("http://127.0.0.1:1", error)).endswith(words)
