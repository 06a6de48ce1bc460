"""What the core is told of memory: only what was measured, for each GPU by itself, and less the reserve."""

from __future__ import annotations

from runyard_actors.manager.truly_free import truly_free
from runyard_actors.scheduling.node import Use
from runyard_cluster.gpu import Gpu
from runyard_cluster.gpu_processes import GpuLook
from tests.unit.manager.making import GIB, active, node_look, run_look


def gpu(index: int, *, gib: int = 24, free: int = 0) -> Gpu:
    return Gpu(index=index, uuid=f"GPU-{index}", name="card", memory_bytes=gib * GIB, free_bytes=free * GIB)


def test_the_reserve_is_not_free_and_each_run_has_its_use() -> None:
    one, two = active(), active(gpus=(1,))
    runs = run_look(one, memory=3 * GIB), run_look(two, memory=GIB, gpu_memory_on={1: 5 * GIB})
    found = truly_free(node_look(*runs, memory_free_bytes=7 * GIB), (), 2 * GIB)
    assert found.memory_bytes == 5 * GIB
    assert found.used == {
        one.run_id: Use(memory_bytes=3 * GIB),
        two.run_id: Use(memory_bytes=GIB, gpu_memory_bytes=5 * GIB),
    }


def test_of_a_gpu_nothing_is_told_that_nobody_knows() -> None:
    gpus = (gpu(0), gpu(1), gpu(2), gpu(3), gpu(4))
    seen = GpuLook(
        gpus=(gpu(3, free=9), gpu(0, free=4), gpu(1, free=8), gpu(4, gib=0)),
        lost={2: "gone"},
        blind=frozenset({1}),
    )
    found = truly_free(node_look(gpus=seen), gpus, 0)
    assert found.gpu_memory_bytes == (4 * GIB, None, None, 9 * GIB, None)
