"""Bytes of logs by their offsets: from the files of this machine, or from a server elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from runyard.cli.source import Source, StoreSource
from runyard.cli.verb import Options

if TYPE_CHECKING:
    from runyard.client import Client
    from runyard_cluster.data_dir import DataDir


class LogReader(Protocol):
    """Reads the log of one attempt."""

    def size(self, run_id: str, attempt: int) -> int:
        """Return how many bytes it has now."""
        ...

    def read(self, run_id: str, attempt: int, start: int, end: int) -> bytes:
        """Return its bytes; words stand where a log that passed its limit lost some."""
        ...


@contextmanager
def log_reader(options: Options, source: Source) -> Iterator[LogReader]:
    """Lend what reads logs where `source` finds runs."""
    if isinstance(source, StoreSource):
        yield _Files(source.data_dir)
        return
    with options.client() as client:
        yield _Server(client)


class _Files:
    def __init__(self, data_dir: DataDir) -> None:
        self._data_dir = data_dir

    def size(self, run_id: str, attempt: int) -> int:
        from runyard_actors.run_folder import RunFolder

        return RunFolder.of(self._data_dir.runs, run_id, attempt).log_size()

    def read(self, run_id: str, attempt: int, start: int, end: int) -> bytes:
        from runyard_actors import log_file
        from runyard_actors.run_folder import RunFolder

        folder = RunFolder.of(self._data_dir.runs, run_id, attempt)
        return b"".join(log_file.shown(folder.log_file, start, end, folder.log_gap()))


class _Server:
    def __init__(self, client: Client) -> None:
        self._client = client

    def size(self, run_id: str, attempt: int) -> int:
        return self._client.log_tail_offset(run_id, 0, attempt=attempt)

    def read(self, run_id: str, attempt: int, start: int, end: int) -> bytes:
        return (
            self._client.log(run_id, attempt=attempt, offset=start, limit=end - start) if end > start else b""
        )
