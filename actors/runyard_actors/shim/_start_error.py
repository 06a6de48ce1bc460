"""Why a module could not be started, in words."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.spec import ShimSpec

#: Options of a Python interpreter after which no script follows, and those that take the next word.
_NO_SCRIPT, _TAKES_A_WORD = ("-c", "-m"), ("-X", "-W", "--check-hash-based-pycs")


def missing_script(spec: ShimSpec) -> str:
    """Name the script that is not there: the interpreter would say so with an exit code like the module's own."""
    script = _script(spec.command)
    if not script or not os.path.isdir(spec.cwd) or os.path.exists(os.path.join(spec.cwd, script)):
        return ""
    return f"script not found: {script}"


def words(stage: str, number: int, spec: ShimSpec) -> str:
    """Say what went wrong on the way into the module: `stage` is log, fork, start, cwd or exec."""
    if stage == "exec":
        return _exec_words(spec.command[0], number, spec.cwd)
    if stage == "cwd":
        return _cwd_words(spec.cwd, number)
    if stage == "log":
        return f"its log cannot be written: {os.strerror(number)}"
    return f"the process could not be started: {os.strerror(number)}"


def _cwd_words(cwd: str, number: int) -> str:
    known = {
        errno.ENOENT: f"cwd not found: {cwd}",
        errno.ENOTDIR: f"cwd is not a folder: {cwd}",
        errno.EACCES: f"cwd cannot be entered: {cwd} (permission denied)",
        errno.ELOOP: f"cwd is a circle of links: {cwd}",
    }
    return known.get(number, f"cwd cannot be used: {cwd} ({os.strerror(number)})")


def _exec_words(program: str, number: int, cwd: str) -> str:
    path = os.path.join(cwd, program)
    if number == errno.ENOENT and os.sep in program and os.path.exists(path):
        return f"not startable: {program} (the program named in its first line, or a library, is missing)"
    if number in (errno.ENOENT, errno.ENOTDIR):
        return f"program not found: {program}"
    known = {
        errno.EACCES: f"not executable: {program} ({'a folder' if os.path.isdir(path) else 'permission denied'})",
        errno.ENOEXEC: f"not executable: {program} (not a program this system can start; no '#!' line?)",
        errno.E2BIG: "arguments and environment are longer than this system takes",
        errno.EINVAL: "an argument or variable holds what no program can be given: a NUL, or a '=' in a name",
    }
    return known.get(number, f"{program} could not be started: {os.strerror(number)}")


def _script(command: tuple[str, ...]) -> str:
    """Return the script that a Python interpreter is told to run, or nothing."""
    name = os.path.basename(command[0]).lower()
    words_left = iter(command[1:] if name.startswith("python") else ())
    for word in words_left:
        if word in _TAKES_A_WORD:
            next(words_left, None)
        elif word == "-" or (word.startswith("-") and not word.startswith("--") and word[-1] in "cm"):
            return ""
        elif not word.startswith("-"):
            return word
        elif word.startswith(_NO_SCRIPT):
            return ""
    return ""
