"""What is still to be told, on disk: how far the events were read, and a file for each notice that is due."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.server.notice.target import Target
from runyard_cluster.files import durable_replace

log = logging.getLogger("runyard.server")

#: Ends of batches of which it is kept that they were told of: two of its last runs may be read one after the other.
KEPT_BATCHES = 200


@dataclass(slots=True)
class Notice:
    """One target that is to be told of one end. `due` is a moment in seconds since the epoch."""

    id: str
    target: Target
    message: Mapping[str, Any]
    tries: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Mark:
    """How far the events were read, and which ends of batches were told of, by batch. `seq` None: nothing was yet."""

    seq: int | None = None
    batches: dict[str, str] = field(default_factory=dict)


class Pending:
    """The folder of what is still to be told. It is written before the events count as read: nothing is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mark(self) -> Mark:
        """Return how far the events were read."""
        try:
            found = json.loads((self._folder / "mark.json").read_bytes())
            return Mark(seq=int(found["seq"]), batches=dict(found["batches"]))
        except FileNotFoundError:
            return Mark()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "it is not known how far ends were told of (%s); telling begins with the next one", error
            )
            return Mark()

    def set_mark(self, mark: Mark) -> None:
        """Note how far the events were read."""
        newest = dict(list(mark.batches.items())[-KEPT_BATCHES:])
        self._put("mark.json", {"seq": mark.seq, "batches": newest})

    def notices(self) -> Iterator[Notice]:
        """Yield what was still to be told when the server was last here."""
        for path in sorted(self._folder.glob("notice-*.json")):
            try:
                found = json.loads(path.read_bytes())
                target = Target(found["kind"], tuple(found["words"]))
                yield Notice(found["id"], target, found["message"], int(found["tries"]), float(found["due"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s is not understood, and left out: %s", path, error)
                path.unlink(missing_ok=True)

    def put(self, notices: Sequence[Notice]) -> None:
        """Keep notices until they are removed."""
        for each in notices:
            values = {
                "id": each.id,
                "kind": each.target.kind,
                "words": each.target.words,
                "message": each.message,
                "tries": each.tries,
                "due": each.due,
            }
            self._put(f"notice-{each.id}.json", values)

    def remove(self, notice: Notice) -> None:
        """Forget a notice that was delivered, or given up."""
        (self._folder / f"notice-{notice.id}.json").unlink(missing_ok=True)

    def _put(self, name: str, values: Mapping[str, Any]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        durable_replace(self._folder / name, json.dumps(values).encode())
