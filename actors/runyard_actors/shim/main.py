"""The shim's life: take, claim, start, watch, end, record. It reads like a table of contents, on purpose."""

from __future__ import annotations

import errno
import os
import time

from runyard_actors import attempt_file
from runyard_actors.record_file import CHILD, EXIT, RecordFile
from runyard_actors.shim import limit, record
from runyard_actors.shim.quick_json import dumps
from runyard_actors.shim.system import Tree, leave_parent, name_process
from runyard_actors.shim.verdict import verdict
from runyard_actors.shim.watch import Watch, ends_soon
from runyard_cluster import process
from runyard_cluster.failpoint import hit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runyard_actors.shim.spec import ShimSpec

    Json = dict[str, Any]

#: Those who only look at the lock hold it for microseconds; another shim holds it for good.
LOCK_SECONDS = 1.0
LOCK_LOOK_SECONDS = 0.01

#: A disk without room is tried again this often, for so long: the run has ended, only its record is missing.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
RECORD_SECONDS = 600.0
RECORD_LOOK_SECONDS = 1.0


def main() -> None:
    """Own the attempt in whose folder this process was started, from here to its end."""
    leave_parent()
    name_process("runyard-shim")
    own_folder(None)
    # There is nothing to tidy up first.
    os._exit(0)


def own_folder(spec: ShimSpec | None, folder: str = "") -> bool:
    """Own the attempt of a folder, the one in which this process is or the one given, to its end.

    What is to be run lies there unless it is given. Returns whether this process can own another attempt: it cannot
    once anything of it went wrong.
    """
    try:
        if folder:
            _enter(folder)
    except OSError as error:
        _answer(event="start_error", why=_unusable(error))
        return False
    try:
        file = _take()
        if file is None:
            _answer(event="refused", why="locked")
            return True
        hit("shim.locked")
        end = _own(file, spec)
        # Only now, when all is written: who finds the lock free goes by what is there.
        file.release()
    except Exception as error:
        _note_trouble()
        _answer(event="start_error", why=_unusable(error))
        return False
    _answer(event="ended", exit=end)
    return True


def _unusable(error: Exception) -> str:
    return f"the run's folder cannot be used: {error}"


def _enter(folder: str) -> None:
    """Go into the attempt's folder; one that is new is private to its owner."""
    try:
        os.chdir(folder)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            pass
        os.chdir(folder)


def _own(file: RecordFile, spec: ShimSpec | None) -> Json | None:
    """Run the attempt of the folder that this process is in and has locked; its end is the last thing written.

    Returns how it ended; None when the attempt is not this process's.
    """
    tree = Tree()
    started_at, monotonic_start = time.time_ns() // 1000, time.monotonic()
    if not file.claim({**_who_claims(os.getpid()), "started_at": started_at}):
        record.forget_spec()
        tree.close()
        _answer(event="refused", why="claimed")
        return None
    try:
        hit("shim.claimed")
        end = _run(tree, file, spec, started_at, monotonic_start)
        hit("shim.before_exit")
    except Exception as error:
        end = _own_failure(tree, error)
    end |= {"started_at": started_at, "ended_at": time.time_ns() // 1000}
    _write_exit(file, end)
    hit("shim.after_exit")
    return end


_claimants: dict[int, Json] = {}


def _who_claims(pid: int) -> Json:
    """Return what tells this process from all others, ever. Found out once: it owns one run after another."""
    if pid not in _claimants:
        _claimants[pid] = {
            "shim_pid": pid,
            "shim_start": process.process_start_time(pid),
            "boot_id": process.boot_id(),
        }
    return _claimants[pid]


def _run(
    tree: Tree, file: RecordFile, given: ShimSpec | None, started_at: int, monotonic_start: float
) -> Json:
    """Start the module, watch it, end what it leaves behind; return how it ended."""
    spec = given or record.read_spec()
    tree.cookie = spec.nonce
    error = tree.spawn(spec)
    if error:
        _answer(event="start_error", why=error)
        tree.close()
        return {"reason": "start_error", "reason_detail": error, "ended_by": "self", "log_bytes": 0}
    hit("shim.spawned")
    if tree.group:
        # Whoever has to end what is left of this attempt goes by its group.
        _write_child(file, tree)
    # All else waits for that: until a copy of this process has ended, each page that is written to is copied, too.
    is_short = ends_soon(spec, tree)
    watch = Watch(spec, tree, monotonic_start)
    if not tree.group:
        _write_child(file, tree)
    hit("shim.child_written")
    # What has ended by now is told in one message with its end.
    (_answer_later if is_short else _answer)(
        event="started",
        pid=tree.pid,
        shim_pid=os.getpid(),
        started_at=started_at,
        enforcement=tree.enforcement,
    )
    if not is_short:
        watch.until_main_ended()
    hit("shim.main_ended")
    stragglers = tree.end(watch.kill_at)
    watch.log.look()
    stop = watch.stop or limit.passed_its_memory(spec, tree)
    end = {
        **verdict(tree, stop, is_out_of_memory=watch.is_out_of_memory()),
        "cpu_seconds": round(tree.cpu_seconds, 6),
        "peak_memory": tree.peak(watch.gauge.peak),
        "log_bytes": watch.log.size,
        "log_dropped": watch.log.dropped,
        "report_bytes": record.report_bytes(),
        "stragglers": stragglers,
        "suspended_seconds": round(watch.suspension.seconds(time.monotonic()), 6),
    }
    tree.close()
    return end


def _own_failure(tree: Tree, error: Exception) -> Json:
    """Whatever is wrong with this shim, its run does not outlive it, and somebody reads why."""
    _note_trouble()
    tree.kill()
    tree.end(time.monotonic())
    tree.close()
    words = f"its supervisor failed ({type(error).__name__}: {error}), so the run was ended"
    _answer(event="start_error", why=words)
    return {"reason": "supervisor_lost", "reason_detail": words, "ended_by": "supervisor"}


def _take() -> RecordFile | None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        file = RecordFile.take(attempt_file.RECORD)
        if file is not None or time.monotonic() > end:
            return file
        time.sleep(LOCK_LOOK_SECONDS)


def _write_child(file: RecordFile, tree: Tree) -> None:
    """Others only show this line, so a full disk is no reason to end the run."""
    # The number of one that has ended may be another's by now.
    has_ended = tree.exit_code is not None or tree.signal is not None
    child = {
        "pid": tree.pid,
        "start": None if has_ended else process.process_start_time(tree.pid),
        "enforcement": tree.enforcement,
        "cgroup": tree.group,
    }
    try:
        file.add(CHILD, child)
    except OSError:
        return


def _write_exit(file: RecordFile, end: Json) -> None:
    record.forget_spec()
    until = time.monotonic() + RECORD_SECONDS
    while True:
        try:
            return file.add(EXIT, end)
        except OSError as error:
            if error.errno not in FULL_DISK or time.monotonic() > until:
                raise
        time.sleep(RECORD_LOOK_SECONDS)


_later: list[bytes] = []


def _answer_later(**fields: Any) -> None:
    """Tell it with the next answer."""
    _later.append(dumps(fields).encode() + b"\n")


def _answer(**fields: Any) -> None:
    """Tell whoever asked for this shim, who may be dead already, or have heard enough."""
    _answer_later(**fields)
    answers = b"".join(_later)
    _later.clear()
    try:
        os.write(1, answers)
    except OSError:
        pass


def _note_trouble() -> None:
    import traceback  # here, because only a failing shim needs it

    try:
        with open(attempt_file.TROUBLE, "a") as file:
            file.write(traceback.format_exc())
    except OSError:
        return
