"""What holds an attempt's limits on Linux and macOS: a control group of its own where there can be one."""

from __future__ import annotations

import os

from runyard_actors.attempt_file import group_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.spec import ShimSpec
    from runyard_cluster.process._cgroup import ControlGroup

#: The weight of one declared CPU. Other programs' groups have 100 each, so a run yields to what people use, and runs
#: share among themselves by what they declared.
WEIGHT_OF_A_CPU = 10


def own_group(spec: ShimSpec) -> ControlGroup | None:
    """Make the attempt's control group; None where that cannot be."""
    if not spec.cgroup:
        return None
    from runyard_cluster.process._cgroup import ControlGroup  # here, because most systems have no such place

    group = ControlGroup(os.path.join(spec.cgroup, group_name(spec.nonce)))
    return group if group.make() else None


def limit(group: ControlGroup | None, spec: ShimSpec) -> dict[str, str]:
    """Have the group hold what it can; return for each limit what holds it."""
    held = {"memory": "poll", "cpu": "nice", "processes": "poll" if spec.max_processes else "none"}
    if group is None:
        return held
    held["tree"] = "cgroup"
    if spec.memory_bytes and group.limit_memory(spec.memory_bytes):
        held["memory"] = "cgroup"
    if spec.max_processes and group.limit_processes(spec.max_processes):
        held["processes"] = "cgroup"
    if spec.cpu_milli and group.weigh_cpu(spec.cpu_milli * WEIGHT_OF_A_CPU // 1000):
        held["cpu"] = "weight"
    return held
