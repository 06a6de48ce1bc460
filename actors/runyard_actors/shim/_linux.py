"""What only Linux has for owning a tree: subreaper, death signal, the out-of-memory score."""

from __future__ import annotations

import ctypes
import os
import sys

#: Looked up at the import, which shims made by forking do not pay for.
_libc_prctl = ctypes.CDLL(None, use_errno=True).prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIGKILL = 9


def become_subreaper() -> bool:
    """Have orphans of this tree, daemons too, become children of this process; return whether that worked."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> bool:
    """Have this process killed when its parent ends; return False when the parent has ended already."""
    return _prctl(_PR_SET_PDEATHSIG, _SIGKILL) and os.getppid() == parent


def name_process(name: str) -> None:
    """Have lists of processes show this one under a name, of 15 characters at most."""
    try:
        descriptor = os.open("/proc/self/comm", os.O_WRONLY)
    except OSError:
        return
    os.write(descriptor, name.encode())
    os.close(descriptor)


def be_as_killable_as_anyone() -> None:
    """Ray makes its workers the first to go when memory runs out; runs start even. Not allowed everywhere."""
    _tell("/proc/self/oom_score_adj", b"0")


def be_nice(leader: int, niceness: int) -> None:
    """Have a new session yield more than this process: its leader, and all that came of that already.

    Where the kernel weighs sessions first, as on desktops, the niceness of a process counts within its own only.
    """
    if sys.platform == "win32":
        return
    try:
        os.setpriority(os.PRIO_PGRP, leader, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
    except OSError:
        return
    _tell(f"/proc/{leader}/autogroup", b"%d" % niceness)


def _tell(file: str, value: bytes) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(descriptor, value)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _prctl(option: int, value: int) -> bool:
    return int(_libc_prctl(option, value, 0, 0, 0)) == 0
