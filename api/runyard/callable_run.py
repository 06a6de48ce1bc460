"""The program of a run that calls a function: it reads what to call, calls it, and writes what came of it.

Standard library only, and started by its path: the interpreter of the run need not know runyard.
"""

from __future__ import annotations

import os
import pickle
import runpy
import sys
import traceback
from typing import Any

#: The name that a caller's own program goes by here, so that its `if __name__ == "__main__"` does not run again.
MAIN = "__mp_main__"


def main(given: str, answer: str) -> int:
    """Call what the file `given` holds; write result or exception into the file `answer`; return the exit code."""
    with open(given, "rb") as file:  # noqa: PTH123 pathlib takes longer to import than all of this
        place = pickle.load(file)  # noqa: S301 it was written by who submitted this run
        sys.path[:] = place["path"]
        if place["main"]:
            _have_main(place["main"])
        function, args, kwargs = pickle.load(file)  # noqa: S301 likewise
    try:
        outcome: tuple[str, Any] = ("result", function(*args, **kwargs))
    except Exception as error:
        traceback.print_exc()
        outcome = ("error", error)
    _write(answer, outcome)
    return 0 if outcome[0] == "result" else 1


def _have_main(path: str) -> None:
    """Functions of the caller's own program are found by name in a module that is called as it was there."""
    module = type(sys)(MAIN)
    module.__dict__.update(runpy.run_path(path, run_name=MAIN))
    sys.modules["__main__"] = sys.modules[MAIN] = module


def _write(path: str, outcome: tuple[str, Any]) -> None:
    beside = f"{path}.partial"
    with open(beside, "wb") as file:  # noqa: PTH123 as above
        try:
            file.write(pickle.dumps(outcome))
        except Exception as error:
            file.write(pickle.dumps(("error", _plain(outcome, error))))
    os.replace(beside, path)  # noqa: PTH105 as above


def _plain(outcome: tuple[str, Any], why: Exception) -> Exception:
    """What cannot travel is told in words."""
    if outcome[0] == "error":
        return RuntimeError(f"{type(outcome[1]).__name__}: {outcome[1]}")
    return TypeError(f"the function returned a {type(outcome[1]).__name__}, which cannot be pickled: {why}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
