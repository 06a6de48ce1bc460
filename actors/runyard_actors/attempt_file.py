"""The names of the files in an attempt's folder: the shim, which lives there, goes by them; others by `RunFolder`."""

from __future__ import annotations

#: What the shim is to run. It holds the environment, so it is gone once read.
SPEC = "spec.json"
#: Who owns the attempt, its process and its end; locked by the shim for all of its life. See `record_file`.
RECORD = "record.jsonl"
#: What supervisors of the first version have in its place, some of which may still be going: a file for each of its
#: lines, and one that is locked.
FIRST_RECORDS = {"claim": "started.json", "child": "child.json", "exit": "exit.json"}
FIRST_LOCK = "alive"
#: Asks the shim to end the run.
STOP = "stop.json"
#: Asks the shim to hold the run still, for as long as it is there.
SUSPEND = "suspend.json"
#: Since when the run is held still; there for just as long as it is.
SUSPENDED = "suspended.json"
#: What the module printed, both streams, byte by byte.
LOG = "output.log"
#: When the log had grown how far: lines of `offset microseconds`.
TIME_INDEX = "output.idx"
#: Which bytes of a log above its limit were dropped: `start`, `end`.
LOG_GAP = "output.gap"
#: Where the module reports its progress and result.
REPORT = "report.jsonl"
#: What it used over time, written by who watches the node.
USAGE = "usage"
#: The attempt's own copy of code that was shipped with its run.
CODE = "code"
#: Why a shim failed, for whoever has to find out.
TROUBLE = "shim.err"

#: The variable by which every process of an attempt can be known.
COOKIE = "RUNYARD_NONCE"
#: How long its value, the attempt's nonce, is.
NONCE_LETTERS = 16


def group_name(nonce: str) -> str:
    """Return the name of an attempt's control group."""
    return f"runyard-{nonce}"
