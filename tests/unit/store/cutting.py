"""A way to a PostgreSQL server that can be cut in the middle of a commit."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cutter:
    """Carries bytes both ways. `cut` says what becomes of the next commit: "before" or "after" the server has it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.cut: str | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def serve(self) -> None:
        """Carry until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65_536)
                    if not data:
                        return
                    if source is client and self.cut and b"COMMIT" in data:
                        how, self.cut = self.cut, None
                        if how == "after":
                            server.sendall(data)
                            server.recv(65_536)
                        return
                    (server if source is client else client).sendall(data)


@contextmanager
def cutter(port: int) -> Iterator[Cutter]:
    """Lend one for the length of the block."""
    way = Cutter(port)
    thread = threading.Thread(target=way.serve)
    thread.start()
    try:
        yield way
    finally:
        way.listener.shutdown(socket.SHUT_RDWR)
        way.listener.close()
        thread.join()
