"""The spawner's life: wait for a request, fork, wait again."""

from __future__ import annotations

import gc
import os
import socket
import sys

from runyard_actors.shim import main as shim
from runyard_actors.shim.quick_json import loads
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shim.system import be_guarded, leave_parent, name_process
from runyard_actors.shim.take_over import TakeOver
from runyard_cluster.failpoint import hit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
elif sys.platform != "win32":
    import _signal as signal

#: What asks for a shim: one byte, and with it the socket that the shim reads its spec from and answers on.
REQUEST = b"+"
#: Each spec is sent with its size before it, in so many bytes.
SIZE_BYTES = 4
#: A shim that has owned so many runs makes room for a fresh one.
MOST_RUNS = 500

if sys.platform != "win32":
    from runyard_actors.spawner.guardian import Guardian

    def serve() -> None:
        """Say who we are, and serve the requests on standard input until whoever makes them is gone.

        Stays for as long as its shims, and ends what one of them leaves behind when it is killed. Raises TakeOver in
        the process of a module that is to run here.
        """
        leave_parent()
        name_process("runyard-spawner")
        os.chdir("/")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        guardian = Guardian()
        gc.disable()
        # What Python keeps to use again lies scattered; a copy would give it back piece by piece.
        gc.collect()
        gc.freeze()
        # Not in a `with` block: a copy that takes over leaves this function by an exception, and closes all at once.
        requests = socket.socket(fileno=os.dup(0))
        requests.send(str(os.getpid()).encode())
        _serve(requests, guardian)
        requests.close()
        guardian.until_alone()

    def _serve(requests: socket.socket, guardian: Guardian) -> None:
        while True:
            guardian.until_asked(requests)
            data, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
            if not data:
                return
            for descriptor in descriptors:
                _spawn(descriptor, guardian)

    def _spawn(descriptor: int, guardian: Guardian) -> None:
        hit("spawner.before_fork")
        guarded_by = os.getpid() if guardian.is_effective else 0
        try:
            pid = os.fork()
        except OSError:
            # Whoever asked finds its socket closed without an answer, and tries again.
            pid = 1
        if pid == 0:
            be_guarded(guarded_by)
            _become_shim(descriptor)
        if pid > 1:
            guardian.watch(pid)
        hit("spawner.after_fork")
        os.close(descriptor)

    def _become_shim(descriptor: int) -> NoReturn:
        """In the child: own what is to be run, and whatever comes on the same line after it, one at a time."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 0)
            os.dup2(descriptor, 1)
            os.closerange(3, max(descriptor, nowhere) + 64)
            name_process("runyard-shim")
            for _ in range(MOST_RUNS):
                request = _next_request()
                if request is None:
                    break
                folder, spec = request
                if not shim.own_folder(spec, folder):
                    break
                # No folder of a run that has ended is held on to.
                os.chdir("/")
            os._exit(0)
        except TakeOver:
            raise
        except BaseException:
            os._exit(1)

    def _next_request() -> tuple[str, ShimSpec] | None:
        """Wait for what is to be run next; None once nobody is left to ask."""
        size = _read(SIZE_BYTES)
        text = _read(int.from_bytes(size, "big")) if size else b""
        if not text:
            return None
        fields = loads(text.decode())
        return fields.pop("folder"), ShimSpec(**fields)

    def _read(size: int) -> bytes:
        """Return exactly so many bytes of the line; none if it ended before."""
        received = bytearray()
        while len(received) < size:
            data = os.read(1, size - len(received))
            if not data:
                return b""
            received += data
        return bytes(received)
