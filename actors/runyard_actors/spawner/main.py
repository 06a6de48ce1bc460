"""The spawner's life: wait for a request, fork, wait again."""

from __future__ import annotations

import gc
import os
import socket
import sys

from runyard_actors.shim import main as shim
from runyard_actors.shim.quick_json import loads
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shim.system import leave_parent, name_process
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
_READ_BYTES = 1 << 16

if sys.platform != "win32":

    def serve() -> None:
        """Say who we are, and serve the requests on standard input until whoever makes them is gone.

        Raises TakeOver in the process of a module that is to run here.
        """
        leave_parent()
        name_process("runyard-spawner")
        os.chdir("/")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Shims end unnoticed, and leave nothing behind that would have to be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        gc.disable()
        gc.freeze()
        with socket.socket(fileno=os.dup(0)) as requests:
            requests.send(str(os.getpid()).encode())
            while True:
                data, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
                if not data:
                    return
                for descriptor in descriptors:
                    _spawn(descriptor)

    def _spawn(descriptor: int) -> None:
        hit("spawner.before_fork")
        try:
            pid = os.fork()
        except OSError:
            # Whoever asked finds its socket closed without an answer, and tries again.
            pid = 1
        if pid == 0:
            _become_shim(descriptor)
        os.close(descriptor)

    def _become_shim(descriptor: int) -> NoReturn:
        """In the child: read what is to be run, and own it to its end."""
        try:
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 0)
            os.dup2(descriptor, 1)
            os.closerange(3, max(descriptor, nowhere) + 64)
            folder, spec = _read(1)
            os.chdir(folder)
            shim.own_folder(spec)
        except TakeOver:
            raise
        except BaseException:
            os._exit(1)

    def _read(descriptor: int) -> tuple[str, ShimSpec]:
        received = bytearray()
        while data := os.read(descriptor, _READ_BYTES):
            received += data
        fields = loads(received.decode())
        return fields.pop("folder"), ShimSpec(**fields)
