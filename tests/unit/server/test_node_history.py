"""The nodes' last hour: columns of equal length, bounded, of the nodes that there are now."""

from __future__ import annotations

from dataclasses import replace

from runyard.server.machine_models import ResourcesHistory
from runyard.server.node_history import NodeHistory
from runyard_actors.manager.messages import GpuView, NodeView
from runyard_cluster.capacity import Use

GIB = 2**30
GPU = GpuView(
    index=0,
    uuid="GPU-a",
    name="H100",
    memory_bytes=80 * GIB,
    declared_milli=500,
    declared_memory_bytes=40 * GIB,
    free_bytes=50 * GIB,
    runs_memory_bytes=20 * GIB,
)
NODE = NodeView(
    node="ws1",
    cpu_milli=8_000,
    memory_bytes=64 * GIB,
    declared_cpu_milli=2_000,
    declared_memory_bytes=16 * GIB,
    gpus=(GPU,),
    guard=None,
    runs_cpu_milli=1_500,
    runs_memory_bytes=6 * GIB,
)
OTHER = replace(
    NODE,
    node="ws2",
    gpus=(),
    use=Use(cpu_busy_percent=10, memory_free_bytes=60 * GIB, memory_used_percent=6),
    runs_cpu_milli=None,
    runs_memory_bytes=None,
)
USE = Use(cpu_busy_percent=50, memory_free_bytes=44 * GIB, memory_used_percent=31)


def test_a_look_becomes_a_row_of_every_column() -> None:
    history = NodeHistory()
    history.add(100.0, [NODE], USE)
    history.add(105.0, [replace(NODE, declared_cpu_milli=0, gpus=(replace(GPU, free_bytes=None),))], USE)
    found = ResourcesHistory(**history.since(0))
    node = found.nodes[0]
    assert found.at == [100.0, 105.0]
    assert (node.declared_cpus, node.runs_cpus, node.used_cpus) == ([2, 0], [1.5, 1.5], [4, 4])
    assert (node.declared_memory[0], node.runs_memory[0], node.used_memory[0]) == (
        16 * GIB,
        6 * GIB,
        20 * GIB,
    )
    gpu = node.gpus[0]
    assert (gpu.declared_memory, gpu.runs_memory) == ([40 * GIB] * 2, [20 * GIB] * 2)
    assert gpu.used_memory == [30 * GIB, None]


def test_a_node_that_came_late_has_nothing_before_and_one_that_left_is_gone() -> None:
    history = NodeHistory()
    history.add(1.0, [NODE, replace(NODE, node="gone")], USE)
    history.add(2.0, [NODE, OTHER], USE)
    first, late = history.since(0)["nodes"]
    assert (first["node"], late["node"]) == ("ws1", "ws2")
    assert late["declared_cpus"] == [None, 2]
    assert late["runs_memory"] == [None, None]
    assert late["used_memory"] == [None, 4 * GIB]


def test_only_the_newest_are_kept_and_only_later_ones_are_given() -> None:
    history = NodeHistory(kept=3)
    for at in range(5):
        history.add(float(at), [NODE], USE)
    assert history.since(0)["at"] == [2.0, 3.0, 4.0]
    later = history.since(3.0)
    assert later["at"] == [4.0]
    assert later["nodes"][0]["declared_cpus"] == [2]


def test_before_the_first_look_there_is_nothing() -> None:
    assert NodeHistory().since(0)["nodes"] == []
