"""What a Python interpreter is, and what is installed for it, asked of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: An interpreter that takes longer to say what it is, is not waited for.
SECONDS = 20.0
#: Interpreters remembered at most.
REMEMBERED = 100
_known: dict[str, Interpreter] = {}
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(\.exe)?", re.IGNORECASE)
_PROBE = """
import hashlib, json, sys
from importlib.metadata import distributions
found = sorted({f"{d.metadata['Name']}=={d.version}".lower() for d in distributions() if d.metadata['Name']})
digest = hashlib.sha256("\\n".join(found).encode()).hexdigest()
version = ".".join(map(str, sys.version_info[:3]))
print(json.dumps({"version": version, "packages": digest[:32], "paths": sys.path}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """`marks` are the folders that packages are installed into, with the moment each was last changed."""

    version: str
    packages: str
    marks: tuple[tuple[str, int], ...]

    def is_current(self) -> bool:
        """Whether nothing was installed or removed since."""
        return all(_changed_at(path) == at for path, at in self.marks)


def is_python(program: str) -> bool:
    """Whether a program is an interpreter of Python, by its name."""
    return _PYTHON.fullmatch(Path(program).name) is not None


def current(python: str) -> Interpreter | None:
    """Return what an interpreter is, which is asked of it again only after packages were installed or removed."""
    known = _known.get(python)
    if known is None or not known.is_current():
        if len(_known) >= REMEMBERED:
            _known.clear()
        found = ask(python)
        if found is not None:
            _known[python] = found
        return found
    return known


def ask(python: str) -> Interpreter | None:
    """Return what the interpreter says of itself; None if it says nothing."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RUNYARD_"))}
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            env=environ,
            cwd=Path(python).parent if Path(python).is_absolute() else None,
            check=True,
        )
        found = json.loads(done.stdout)
        folders = sorted({str(path) for path in found["paths"] if path and Path(path).is_dir()})
        return Interpreter(
            version=str(found["version"]),
            packages=str(found["packages"]),
            marks=tuple((folder, _changed_at(folder)) for folder in folders),
        )
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        return None


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
