"""The other nodes as Ray knows them, and the agents on them as Ray's actors."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runyard_actors.manager.follow_nodes import ClusterNode
from runyard_actors.nodes.actor import NodeActor
from runyard_actors.nodes.line import Agent
from runyard_actors.nodes.messages import PROTOCOL, NodeOrders
from runyard_actors.nodes.place import token_digest
from runyard_actors.request import WHOLE
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import UnavailableError
from runyard_cluster.ray_head import NAMESPACE, labels_of

#: Calls to an agent at once: each run that starts or is asked about is one.
CONCURRENT_CALLS = 1_000


class RayAgent:
    """An agent that is a Ray actor."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self._name = name

    async def call(self, method: str, *args: Any) -> Any:
        """Return the method's answer. Raises UnavailableError when the agent cannot be reached."""
        try:
            return await getattr(self._handle, method).remote(*args)
        except RayError as error:
            words = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise UnavailableError(f"the agent of node {self._name} cannot be reached: {words[0]}") from error


class RayNodes:
    """The cluster that this actor is part of."""

    def __init__(self, data_dir: DataDir, reserve_memory: int, home: str) -> None:
        self._data_dir = data_dir
        self._reserve_memory = reserve_memory
        self._home = home
        self._own_id = ray.get_runtime_context().get_node_id()

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the other nodes that are up. Raises UnavailableError."""
        try:
            found = await asyncio.to_thread(ray.nodes)
        except RayError as error:
            raise UnavailableError(str(error)) from error
        others = [node for node in found if node["Alive"] and node["NodeID"] != self._own_id]
        names = _names(others, self._home)
        return [_cluster_node(node, names[node["NodeID"]]) for node in others]

    async def agent(self, node: ClusterNode) -> Agent:
        """Return the agent of a node, started if there is none. Raises UnavailableError."""
        orders = NodeOrders(
            name=node.name,
            data_dir=str(self._data_dir.path),
            token_digest=token_digest(self._data_dir),
            reserve_memory=self._reserve_memory,
        )
        try:
            handle = await asyncio.to_thread(_actor, node, orders)
        except (RayError, ValueError) as error:
            raise UnavailableError(f"no agent can be started on {node.name}: {error}") from error
        return RayAgent(handle, node.name)


def _actor(node: ClusterNode, orders: NodeOrders) -> Any:
    options = ray.remote(NodeActor).options(
        name=f"node-agent {node.ray_id} {PROTOCOL}",
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=CONCURRENT_CALLS,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node.ray_id, soft=False),
    )
    return options.remote(orders)


def _names(nodes: Sequence[Mapping[str, Any]], home: str) -> dict[str, str]:
    """Name each node: as `ray start --node-name` has it, else by its host name; if others have that, by its address."""
    hosts = Counter([home, *(node["NodeManagerHostname"] for node in nodes)])
    names = {}
    for node in nodes:
        given, host, address = node["NodeName"], node["NodeManagerHostname"], node["NodeManagerAddress"]
        if given and given != address:
            names[node["NodeID"]] = given
        else:
            names[node["NodeID"]] = host if host and hosts[host] == 1 else address
    return names


def _cluster_node(node: Mapping[str, Any], name: str) -> ClusterNode:
    offered = node["Resources"]
    return ClusterNode(
        name=name,
        ray_id=node["NodeID"],
        cpu_milli=int(offered.get("CPU", 0) * WHOLE),
        memory_bytes=int(offered.get("memory", 0)),
        gpus=int(offered.get("GPU", 0)),
        labels=labels_of(node),
    )
