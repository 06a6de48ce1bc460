"""Other nodes without Ray: real agents, in this process, whose line can be cut. What travels is pickled, as by Ray."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runyard_actors.manager.follow_nodes import ClusterNode
from runyard_actors.node_meter import NodeMeter
from runyard_actors.nodes.actor import NodeActor
from runyard_actors.nodes.line import Agent
from runyard_actors.nodes.messages import NodeOrders
from runyard_cluster.errors import UnavailableError

GIB = 2**30


class FakeNode:
    """One node: it keeps its data in a folder of its own, and is cut off for as long as `is_cut`.

    While it is mute, it hears what it is told, and its answers get lost. Each answer takes `delay_seconds` more.
    """

    def __init__(self, folder: Path, name: str, cpus: int) -> None:
        self.node = ClusterNode(
            name=name, ray_id=f"{name}-1", cpu_milli=cpus * 1000, memory_bytes=16 * GIB, gpus=0
        )
        self.is_cut = False
        self.is_mute = False
        self.delay_seconds = 0.0
        #: Calls that do not reach it.
        self.lost_calls: set[str] = set()
        #: What looks at it; the machine's own if there is none.
        self.meter: NodeMeter | None = None
        self._folder = folder
        self._actor: NodeActor | None = None

    async def call(self, method: str, *args: Any) -> Any:
        """Carry a call to the agent, which is made for the first one, and its answer back."""
        if self.is_cut or method in self.lost_calls:
            raise UnavailableError(f"{self.node.name} is cut off")
        if self._actor is None:
            self._actor = self._new_actor()
        answer = await getattr(self._actor, method)(*pickle.loads(pickle.dumps(args)))
        await asyncio.sleep(self.delay_seconds)
        if self.is_cut or self.is_mute:
            raise UnavailableError(f"{self.node.name} is cut off")
        return pickle.loads(pickle.dumps(answer))

    async def kill_agent(self) -> None:
        """Let the agent go, and with it all that it knows; the next call finds another one."""
        if self._actor is not None:
            actor, self._actor = self._actor, None
            await actor.close()

    def _new_actor(self) -> NodeActor:
        # A data folder that is not the manager's is one that the manager does not see.
        orders = NodeOrders(
            name=self.node.name, data_dir=str(self._folder), token_digest="", reserve_memory=0
        )
        return NodeActor(orders, self.meter)


class FakeCluster:
    """A cluster whose nodes come and go."""

    def __init__(self, folder: Path, **cpus: int) -> None:
        """Have nodes with so many CPUs, by their names."""
        self.by_name = {name: FakeNode(folder / name, name, count) for name, count in cpus.items()}

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the nodes that are up, as if Ray never found any dead."""
        return [node.node for node in self.by_name.values()]

    async def agent(self, node: ClusterNode) -> Agent:
        """Return the agent of a node."""
        return self.by_name[node.name]

    def label(self, name: str, **labels: str) -> None:
        """Have a node be labelled so."""
        node = self.by_name[name]
        node.node = replace(node.node, labels=tuple(labels.items()))

    def come_again(self, name: str) -> None:
        """Have a node be another one of Ray's."""
        node = self.by_name[name]
        node.node = replace(node.node, ray_id=node.node.ray_id + "1")

    async def close(self) -> None:
        """End all agents."""
        await asyncio.gather(*(node.kill_agent() for node in self.by_name.values()))
