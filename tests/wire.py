"""A network made here: namespaces, and between them a wire that can be cut, one way too, or be slow.

Every node has a TAP device, and one program carries the frames from each to the others. What it carries, and how long
it takes for that, is told to it line by line. It needs no privilege inside of `unshare -Urn`, and Linux.

`python -m tests.wire COUNT` is the program: it makes devices `tap1` to `tapCOUNT` and carries until its input ends.
"""

from __future__ import annotations

import heapq
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Ethernet frames of this size at most: few, large ones, since each goes through an interpreter.
MTU = 9_000
_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000


class Network:
    """Nodes 1, 2, … at 10.77.0.1, 10.77.0.2, …; the first one is where this process is."""

    def __init__(self, carrier: subprocess.Popen[str], holders: list[subprocess.Popen[bytes]]) -> None:
        self._carrier = carrier
        self._holders = holders

    def address(self, node: int) -> str:
        """Return a node's address."""
        return f"10.77.0.{node}"

    def inside(self, node: int) -> list[str]:
        """Return what a command is preceded by to run on a node."""
        return [] if node == 1 else ["nsenter", f"--net=/proc/{self._holders[node - 2].pid}/ns/net"]

    def cut(self, node: int) -> None:
        """Let nothing to or from a node through."""
        self._say("cut", node)

    def cut_from(self, node: int) -> None:
        """Let nothing through that a node sends; it hears all others."""
        self._say("mute", node)

    def heal(self, node: int) -> None:
        """Let all through."""
        self._say("heal", node)

    def delay(self, seconds: float) -> None:
        """Have each frame take so long."""
        self._say("delay", seconds)

    def _say(self, *words: object) -> None:
        assert self._carrier.stdin is not None and self._carrier.stdout is not None
        self._carrier.stdin.write(" ".join(map(str, words)) + "\n")
        self._carrier.stdin.flush()
        assert self._carrier.stdout.readline() == "done\n"


@contextmanager
def network(nodes: int) -> Iterator[Network]:
    """Have a network of so many nodes, within a network namespace that is this process's own."""
    carrier = subprocess.Popen(
        [sys.executable, "-m", "tests.wire", str(nodes)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    # Each ends when its input does, at the latest with this process, and its namespace with it.
    holders = [
        subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(nodes - 1)
    ]
    made = Network(carrier, holders)
    try:
        assert carrier.stdout is not None and carrier.stdout.readline() == "ready\n"
        for holder in holders:
            _await_namespace(holder)
        for node in range(1, nodes + 1):
            _set_up(made, node, holders[node - 2].pid if node > 1 else None)
        yield made
    finally:
        for process in (carrier, *holders):
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


def _await_namespace(holder: subprocess.Popen[bytes]) -> None:
    """Wait for the word of the program that `unshare` becomes: it comes back from inside."""
    assert holder.stdin is not None and holder.stdout is not None
    holder.stdin.write(b"in\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == b"in\n"


def _set_up(made: Network, node: int, holder: int | None) -> None:
    device = f"tap{node}"
    if holder is not None:
        _ip([], "link", "set", device, "netns", str(holder))
    inside = made.inside(node)
    _ip(inside, "link", "set", "lo", "up")
    _ip(inside, "link", "set", device, "address", f"02:00:00:00:00:{node:02x}", "mtu", str(MTU))
    _ip(inside, "addr", "add", f"{made.address(node)}/24", "dev", device)
    _ip(inside, "link", "set", device, "up")
    _ip(inside, "route", "add", "default", "dev", device)


def _ip(inside: list[str], *words: str) -> None:
    subprocess.run([*inside, "ip", *words], check=True, timeout=20)


class _Carrier:
    """Carries frames between devices by the node's number, which is the last byte of its hardware address."""

    def __init__(self, count: int) -> None:
        self.devices = {node: _tap(f"tap{node}") for node in range(1, count + 1)}
        self._deaf: set[int] = set()
        self._mute: set[int] = set()
        self._delay = 0.0
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._number = 0

    def obey(self, line: str) -> None:
        """Do what a line says."""
        verb, value = line.split()
        if verb == "delay":
            self._delay = float(value)
            return
        node = int(value)
        self._deaf.discard(node)
        self._mute.discard(node)
        if verb in ("cut", "mute"):
            self._mute.add(node)
        if verb == "cut":
            self._deaf.add(node)

    def take(self, node: int) -> None:
        """Take the frame that a node sends, to all whom it is for."""
        frame = os.read(self.devices[node], 2 * MTU)
        is_for_all = bool(frame[0] & 1)
        for other in self.devices:
            if other != node and node not in self._mute and (is_for_all or frame[5] == other):
                self._number += 1
                heapq.heappush(self._under_way, (time.monotonic() + self._delay, self._number, other, frame))

    def deliver(self) -> float | None:
        """Hand over what has had its time; return the seconds to the next one."""
        while self._under_way:
            due, _, node, frame = self._under_way[0]
            if (left := due - time.monotonic()) > 0:
                return left
            heapq.heappop(self._under_way)
            if node not in self._deaf:
                self._hand_over(node, frame)
        return None

    def _hand_over(self, node: int, frame: bytes) -> None:
        try:
            os.write(self.devices[node], frame)
        except OSError:
            return  # The device is not up, or what it has not taken yet is too much: frames may get lost.


def _tap(name: str) -> int:
    import fcntl  # Tests that use none of this are collected on systems without it, too.

    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP_WITHOUT_HEADER))
    return descriptor


def main() -> None:
    """Carry until standard input ends."""
    carrier = _Carrier(int(sys.argv[1]))
    by_device = {descriptor: node for node, descriptor in carrier.devices.items()}
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin, *by_device], [], [], carrier.deliver())
        for each in readable:
            if each is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    return
                carrier.obey(line)
                print("done", flush=True)
            else:
                carrier.take(by_device[each])


if __name__ == "__main__":
    main()
