"""What happens to a run whose shim was killed: the spawner, which all orphans of shims come to, ends what is left."""

from __future__ import annotations

import os
import select
import sys

from runyard_actors.shim import _signals
from runyard_cluster import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
elif sys.platform != "win32":
    import _signal as signal

#: What does not die at once is killed again this often, in seconds.
AGAIN_SECONDS = 0.05

if sys.platform != "win32":
    from runyard_actors.shim import _linux

    class Guardian:
        """Knows which shims live; a child that is none of them is what a killed one leaves behind.

        A shim that comes to its end by itself has ended its tree before.
        """

        def __init__(self) -> None:
            #: Whether orphans come to this process; elsewhere each shim has to see to its own death.
            self.is_effective = sys.platform == "linux" and _linux.become_subreaper()
            self._shims: set[int] = set()
            self._has_orphans = False
            self._wake = _signals.Wake((signal.SIGCHLD,))

        def watch(self, shim: int) -> None:
            """Know of a new shim."""
            self._shims.add(shim)

        def until_asked(self, requests: socket.socket) -> None:
            """Guard until there is something to read."""
            while not self._look(requests.fileno()):
                pass

        def until_alone(self) -> None:
            """Guard until no shim is left."""
            while self._shims or self._has_orphans:
                self._look()

        def _look(self, *wanted: int) -> bool:
            """Wait for a child's end or what is wanted, see to the former, and return whether it was the latter."""
            wake = self._wake.read_end
            seconds = AGAIN_SECONDS if self._has_orphans else None
            ready = select.select([wake, *wanted], [], [], seconds)[0]
            if wake in ready:
                os.read(wake, 4096)
                self._reap()
            if self._has_orphans:
                self._end_orphans()
            return any(descriptor in ready for descriptor in wanted)

        def _reap(self) -> None:
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    pid, self._has_orphans = 0, False
                if pid == 0:
                    return
                if pid in self._shims:
                    self._shims.discard(pid)
                    self._has_orphans |= status != 0

        def _end_orphans(self) -> None:
            """Kill what two looks in a row take for orphans: one may miss a child whose parent ends meanwhile."""
            orphans = self._orphans()
            self._has_orphans = bool(orphans)
            if orphans:
                _signals.kill(orphans & self._orphans())

        def _orphans(self) -> set[int]:
            """Return all below this process but shims and their trees."""
            everyone = set(process.tree([os.getpid()]))
            return everyone - self._shims - set(process.tree(self._shims))
