"""The state of one moment as families of samples. Names carry their base unit: seconds, bytes, CPUs."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from runyard.server.metrics.module_label import ModuleLabels
from runyard.server.metrics.state import MachineState, State, StoreState
from runyard_actors.manager.messages import GpuView, NodeView, YardView
from runyard_actors.request import WHOLE

NODE = ("node",)
GPU = ("node", "gpu")


def families(state: State, labels: ModuleLabels) -> Iterator[Metric]:
    """Yield what is known; what manager or store would have to say is left out while they do not answer."""
    yield _build()
    yield _gauge("runyard_manager_up", "Whether the manager answers.", state.view is not None)
    yield _gauge("runyard_store_up", "Whether the store can be read.", state.store is not None)
    if state.store is not None:
        yield from _of_store(state.store, state.hub_event, labels)
    if state.view is not None:
        yield from _of_yard(state.view)
        yield from _of_nodes(state.view)
        yield from _of_gpus(state.view)
    yield from _of_machine(state.machine)


def _build() -> Metric:
    facts = {"version": version("runyard"), "python": platform.python_version(), "ray": version("ray")}
    return InfoMetricFamily("runyard_build", "What this server is made of.", value=facts)


def _of_store(store: StoreState, hub_event: int, labels: ModuleLabels) -> Iterator[Metric]:
    yield _runs(store.runs, labels)
    yield _gauge(
        "runyard_queue_oldest_seconds",
        "Seconds that the earliest submitted of the queued runs has waited.",
        store.oldest_queued_seconds,
    )
    yield CounterMetricFamily(
        "runyard_store_events",
        "Events the store ever recorded: it commits while this rises.",
        store.last_event,
    )
    yield _gauge(
        "runyard_live_lag_events",
        "Stored events that live streams have not been told of yet.",
        max(0, store.last_event - hub_event),
    )
    yield _gauge("runyard_store_size_bytes", "Bytes that the database takes where it lies.", store.size_bytes)


def _runs(runs: Mapping[str, Mapping[str, int]], labels: ModuleLabels) -> Metric:
    sums: dict[tuple[str, str], int] = {}
    for module_id, counts in runs.items():
        module = labels.of(module_id)
        for status, count in counts.items():
            sums[module, status] = sums.get((module, status), 0) + count
    family = GaugeMetricFamily(
        "runyard_runs", "Runs in the store, by module and status.", labels=("module", "status")
    )
    for key, count in sums.items():
        family.add_metric(key, count)
    return family


def _of_yard(view: YardView) -> Iterator[Metric]:
    yield _gauge("runyard_queue_length", "Runs that wait for a slot, resources or other runs.", view.queued)
    yield _gauge("runyard_slots", "Runs that may be active at once.", view.max_concurrent_runs)
    yield _gauge("runyard_slots_used", "Runs that hold a slot.", view.active)
    is_paused = view.is_paused or view.paused_while is not None
    yield _gauge("runyard_is_paused", "Whether admission is paused: nothing new starts.", is_paused)
    yield _gauge(
        "runyard_store_fault",
        "Whether the store cannot be written: nothing new starts.",
        bool(view.storage_fault),
    )


def _of_nodes(view: YardView) -> Iterator[Metric]:
    def of(name: str, text: str, values: Mapping[str, float]) -> Metric:
        family = GaugeMetricFamily(name, text, labels=NODE)
        for node, value in values.items():
            family.add_metric((node,), value)
        return family

    nodes = view.nodes
    yield of(
        "runyard_node_capacity_cpus", "CPUs a node offers.", {n.node: n.cpu_milli / WHOLE for n in nodes}
    )
    yield of(
        "runyard_node_declared_cpus",
        "CPUs that active runs declared.",
        {n.node: n.declared_cpu_milli / WHOLE for n in nodes},
    )
    yield of(
        "runyard_node_capacity_memory_bytes",
        "Memory a node offers, less the reserve.",
        {n.node: n.memory_bytes for n in nodes},
    )
    yield of(
        "runyard_node_declared_memory_bytes",
        "Memory that active runs declared.",
        {n.node: n.declared_memory_bytes for n in nodes},
    )
    yield of(
        "runyard_node_is_guarded",
        "Whether a node starts nothing because other programs keep it busy.",
        {n.node: n.guard is not None for n in nodes},
    )


def _of_gpus(view: YardView) -> Iterator[Metric]:
    capacity = GaugeMetricFamily("runyard_gpu_capacity_memory_bytes", "Memory of a GPU.", labels=GPU)
    declared = GaugeMetricFamily(
        "runyard_gpu_declared_memory_bytes", "GPU memory that active runs declared.", labels=GPU
    )
    share = GaugeMetricFamily(
        "runyard_gpu_declared_ratio", "Share of a GPU that active runs declared, 0 to 1.", labels=GPU
    )
    used = GaugeMetricFamily(
        "runyard_gpu_used_memory_bytes", "GPU memory that all programs use, as measured.", labels=GPU
    )
    for node, gpu in _gpus(view.nodes):
        key = (node.node, str(gpu.index))
        capacity.add_metric(key, gpu.memory_bytes)
        declared.add_metric(key, gpu.declared_memory_bytes)
        share.add_metric(key, gpu.declared_milli / WHOLE)
        if gpu.free_bytes is not None:
            used.add_metric(key, gpu.memory_bytes - gpu.free_bytes)
    yield from (capacity, declared, share, used)


def _gpus(nodes: tuple[NodeView, ...]) -> Iterator[tuple[NodeView, GpuView]]:
    for node in nodes:
        for gpu in node.gpus:
            yield node, gpu


def _of_machine(machine: MachineState) -> Iterator[Metric]:
    busy = CounterMetricFamily(
        "runyard_node_cpu_busy_seconds",
        "CPU seconds that all programs used, on all cores together.",
        labels=NODE,
    )
    busy.add_metric((machine.node,), machine.busy_cpu_seconds)
    free = GaugeMetricFamily(
        "runyard_node_free_memory_bytes", "Memory that programs could still get, as measured.", labels=NODE
    )
    free.add_metric((machine.node,), machine.use.memory_free_bytes)
    yield from (busy, free)
    yield _gauge("runyard_data_free_bytes", "Free bytes on the data folder's disk.", machine.data_free_bytes)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
