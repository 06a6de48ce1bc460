"""The index that the threads of one reader share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from runyard_actors.store.database import Connection
from runyard_actors.store.index.run_index import RunIndex, pieces

#: Lends a connection, inside a transaction that has read nothing yet, and what tells its database from others;
#: None while there is no database.
Lend = Callable[[], AbstractContextManager[tuple[Connection, Any] | None]]


class SharedIndex:
    """One thread at a time, each with a snapshot that begins in its turn, so that the index never goes back."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._index: RunIndex | None = None
        self._of: Any = None

    @contextmanager
    def at(self, connection: Connection, *, of: Any) -> Iterator[RunIndex]:
        """Lend the index, brought to the snapshot that `connection` begins with its next statement.

        `of` tells the connection's database from any other.
        """
        with self._gate:
            index, self._index = self._index, None
            if index is None or of != self._of or not index.follow(connection):
                index = RunIndex(connection)
            yield index
            # After an error it may stand between two moments: then it stays forgotten.
            self._index, self._of = index, of

    def keep_ready(self, lend: Lend) -> None:
        """Follow, and read what is missing, piece by piece: others get their turn in between."""
        is_new = self._index is None
        with lend() as kept:
            missing = pieces(kept[0]) if kept and is_new else []
        for piece in [None, *missing]:
            with lend() as kept:
                if kept is not None:
                    with self.at(kept[0], of=kept[1]) as index:
                        index.prepare(kept[0], piece)
