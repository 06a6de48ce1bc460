"""What can make a shim end its run: somebody asked, or a limit is passed."""

from __future__ import annotations

from runyard_actors.shim import record
from runyard_actors.shim.verdict import KILLED_CHILD, SIGKILL, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.gauge import Gauge
    from runyard_actors.shim.spec import ShimSpec
    from runyard_actors.shim.system import Tree

# Sizes and durations are put into words inside the functions: only a run that is stopped pays for those imports.


def asked(spec: ShimSpec) -> Stop | None:
    """Return who asked for the end and why, if anybody did."""
    request = record.read_stop()
    if request is None:
        return None
    return Stop(
        str(request.get("reason", "cancelled_by_user")),
        str(request.get("reason_detail", "cancelled")),
        str(request.get("ended_by", "user")),
        _seconds(request.get("grace_seconds"), spec.grace_seconds),
    )


def timed_out(spec: ShimSpec, ran: float) -> Stop | None:
    """Return the end of a run that took too long."""
    if not spec.timeout_seconds or ran < spec.timeout_seconds:
        return None
    from runyard_cluster.durations import format_duration

    words = f"ran {format_duration(ran)}, limit {format_duration(spec.timeout_seconds)}; stopped"
    return Stop("timeout", words, "timeout", spec.grace_seconds)


def out_of_contact(spec: ShimSpec) -> Stop | None:
    """Return the end of a run whose node the manager is about to give up, so that it may be tried elsewhere."""
    if not spec.contact_seconds:
        return None
    from runyard_actors import contact

    if contact.silent_seconds(spec.contact_file) <= spec.contact_seconds:
        return None
    from runyard_cluster.durations import format_duration

    words = f"its node was without contact to the server for {format_duration(spec.contact_seconds)}; stopped"
    return Stop("node_lost", words, "node", contact.contact_grace(spec.contact_seconds, spec.grace_seconds))


def out_of_memory_limit(spec: ShimSpec, tree: Tree, gauge: Gauge) -> Stop | None:
    """Return the end of a run whose tree holds too much; killed at once, as it would take more meanwhile.

    Resident pages may be shared, so only the dearer and exact figure decides.
    """
    if not gauge.is_suspect():
        return None
    used, limit = tree.confirmed_memory(), spec.memory_bytes
    gauge.correct(used)
    if used <= limit:
        return None
    from runyard_cluster.sizes import format_size

    return Stop(
        "memory_limit", f"used {format_size(used)}, limit {format_size(limit)}; killed", "memory", 0.0
    )


def passed_its_memory(spec: ShimSpec, tree: Tree) -> Stop | None:
    """Return the end of a run that the kernel killed at the run's own limit."""
    was_killed = tree.signal == SIGKILL or tree.exit_code == KILLED_CHILD
    if not was_killed or not tree.has_passed_its_memory():
        return None
    from runyard_cluster.sizes import format_size

    words = f"reached its limit of {format_size(spec.memory_bytes)}; killed"
    return Stop("memory_limit", words, "memory", 0.0)


def too_many_processes(spec: ShimSpec, count: int) -> Stop | None:
    """Return the end of a run that has more processes than it may; at once, as they would be twice as many.

    No reason of its own: a kill it is, and the words say what for.
    """
    if not spec.max_processes or count <= spec.max_processes:
        return None
    words = f"had {count} processes, limit {spec.max_processes}; killed"
    return Stop("signal", words, "processes", 0.0)


def printed_too_much(spec: ShimSpec, size: int) -> Stop:
    """Return the end of a run whose log cannot be kept within its limit in any other way."""
    from runyard_cluster.sizes import format_size

    words = f"printed {format_size(size)}, limit {format_size(spec.max_log_bytes)}; stopped"
    return Stop("output_limit", words, "output", spec.grace_seconds)


def _seconds(value: object, otherwise: float) -> float:
    return max(0.0, float(value)) if isinstance(value, int | float) else otherwise
