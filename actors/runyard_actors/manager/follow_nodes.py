"""Follow nodes: what joins the Ray cluster becomes a node of the yard, and what is silent for too long is lost.

Ray tells which nodes there are. Whether one still does its work only its agent can tell, by answering: Ray takes a
minute to find a node dead, and ends nothing on one that it cannot reach.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from heapq import nsmallest
from typing import Protocol

from runyard_actors.manager.active import ActiveRun
from runyard_actors.manager.bring import bring_lost
from runyard_actors.manager.gpu_lost import node_spec
from runyard_actors.manager.guard import busy_from
from runyard_actors.manager.near_memory_there import tell_near_memory_there
from runyard_actors.manager.other_node import OtherNode
from runyard_actors.manager.watch_there import WatchThere
from runyard_actors.manager.yard import Yard, log
from runyard_actors.measure import NodeMeasure
from runyard_actors.nodes.line import Agent
from runyard_actors.nodes.messages import Lost, NodeFacts
from runyard_actors.run import AttemptKey
from runyard_actors.selector import Labels
from runyard_actors.steps import Steps
from runyard_cluster.capacity import Capacity
from runyard_cluster.errors import UnavailableError

FOLLOW_SECONDS = 1.0
#: So many nodes are asked for their use in a second, in turn: each answer is a call over the network.
ASKED_AT_ONCE = 100
#: How long a manager that has just started waits for the nodes that it finds, before it says what nothing can hold.
ARRIVAL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A living node of the cluster, apart from the manager's own: its name, Ray's id, and what it offers there."""

    name: str
    ray_id: str
    cpu_milli: int
    memory_bytes: int
    gpus: int
    labels: Labels = ()


class Cluster(Protocol):
    """The cluster that the manager is part of."""

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the other nodes that are up. Raises UnavailableError."""
        ...

    async def agent(self, node: ClusterNode) -> Agent:
        """Return the agent of a node, started if there is none. Raises UnavailableError."""
        ...


async def follow_nodes(yard: Yard, cluster: Cluster) -> None:
    """Look at the cluster once a second, for ever."""
    steps, watches = Steps(), Watches(yard)
    before = time.monotonic()
    yard.spawn(_know_cluster(yard), "know the cluster")
    while True:
        await steps.do("looking at the cluster", _look(yard, cluster, watches))
        await asyncio.sleep(FOLLOW_SECONDS)
        now = time.monotonic()
        # Time in which this process did not run is no time in which it could have heard of anybody.
        silence = count_silence(yard, min(now - before, 2 * FOLLOW_SECONDS))
        await steps.do("counting the silence of nodes", silence)
        before = now


async def _know_cluster(yard: Yard) -> None:
    """Say that the cluster is known: once all nodes that were found at first are taken in, or time is over."""
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            await yard.has_looked.wait()
            for node in list(yard.others.values()):
                await node.line.is_open.wait()
    except TimeoutError:
        log.warning("the cluster is not known as a whole yet")
    yard.is_cluster_known.set()


async def _look(yard: Yard, cluster: Cluster, watches: Watches) -> None:
    try:
        found = {node.name: node for node in await cluster.nodes()}
        for each in found.values():
            await _meet(yard, cluster, each)
        yard.has_looked.set()
        _miss(yard, found.keys())
        active = _active_there(yard)
        asked = (watches.ask(node, active.get(node.name, ())) for node in _next_to_ask(yard))
        await asyncio.gather(*asked)
    except UnavailableError as error:
        log.warning("the cluster cannot be looked at: %s", error)


async def count_silence(yard: Yard, seconds: float) -> None:
    """Let `seconds` pass for nodes that were not heard of meanwhile, and give up those that were silent too long."""
    for node in list(yard.others.values()):
        was_guarded = node.guard
        node.silent_seconds += seconds
        if node.silent_seconds >= yard.settings.node_timeout and not node.is_lost:
            lose(yard, node)
        elif (node.guard is None) != (was_guarded is None):
            yard.hold_or_go_on()


def lose(yard: Yard, node: OtherNode) -> None:
    """A node is lost: nothing starts there, and what was active there has ended."""
    log.error("node %s is lost: nothing was heard of it for %.0f s", node.name, node.silent_seconds)
    # At once, since it may be about to be taken in again.
    node.given_up |= {a.key: a.nonce for a in yard.active.values() if a.placement.node == node.name}
    yard.core.on_node_gone(node.name)
    yard.leases.on_node_gone(node.name)
    node.lose()
    yard.pump()


def other_node(yard: Yard, name: str) -> OtherNode:
    """Return the node of that name, known from now on."""
    node = yard.others.get(name)
    if node is None:
        node = yard.others[name] = OtherNode(name, yard.writer.epoch)
        node.line.on_heard = partial(_heard, yard, node)
        node.line.on_open = yard.hold_or_go_on
    return node


def _heard(yard: Yard, node: OtherNode) -> None:
    was_guarded = node.guard is not None
    node.heard()
    if was_guarded:
        yard.hold_or_go_on()


async def _meet(yard: Yard, cluster: Cluster, found: ClusterNode) -> None:
    node = other_node(yard, found.name)
    if node.ray_id == found.ray_id:
        return
    log.info("node %s is in the cluster", node.name)
    agent = await cluster.agent(found)
    node.line.on_found = partial(_take_in, yard, node, found)
    node.connect(found.ray_id, agent)


def _next_to_ask(yard: Yard) -> list[OtherNode]:
    """Return the nodes that were not asked for longest."""
    there = [node for node in yard.others.values() if node.line.is_open.is_set()]
    if len(there) <= ASKED_AT_ONCE:
        return there
    return nsmallest(ASKED_AT_ONCE, there, key=lambda node: node.asked_at)


def _active_there(yard: Yard) -> dict[str, list[ActiveRun]]:
    active: dict[str, list[ActiveRun]] = {}
    for attempt in yard.active.values():
        if attempt.placement.node in yard.others:
            active.setdefault(attempt.placement.node, []).append(attempt)
    return active


class Watches:
    """The watch over each other node."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._by_name: dict[str, WatchThere] = {}

    async def ask(self, node: OtherNode, attempts: Sequence[ActiveRun]) -> None:
        """Ask a node what it measures, and do what follows for the attempts there."""
        node.asked_at = time.monotonic()
        watch = self._by_name.setdefault(node.name, WatchThere(self._yard, node))
        await watch.beat(attempts, FOLLOW_SECONDS)
        await tell_near_memory_there(self._yard, node, attempts, FOLLOW_SECONDS)


def _miss(yard: Yard, found: Collection[str]) -> None:
    """Ray says that a node is gone: leases that are tried there now would only fail."""
    for node in yard.others.values():
        if node.ray_id is not None and node.name not in found:
            log.warning("Ray says that node %s is gone", node.name)
            node.ray_id = None
            yard.leases.on_node_gone(node.name)


async def _take_in(yard: Yard, node: OtherNode, found: ClusterNode, facts: NodeFacts) -> None:
    """Make sure that nothing runs there which was given up, and then let the core count with the node."""
    measure: NodeMeasure = await node.line.ask("measure", busy_from(yard.settings))
    node.use = measure.use
    await _end_lost(node, await asyncio.to_thread(yard.reader.lost_on, node.name))
    # It may be given up while this goes on.
    while given_up := dict(node.given_up):
        await _end_lost(node, given_up)
        await bring_lost(yard, node, given_up)
        node.given_up = {key: nonce for key, nonce in node.given_up.items() if key not in given_up}
    capacity = node.capacity = _offered(facts.capacity, found)
    yard.leases.on_node(capacity, found.ray_id)
    yard.core.on_node(node_spec(capacity, node.lost_gpus))
    node.heard()
    yard.hold_or_go_on()


async def _end_lost(node: OtherNode, given_up: Mapping[AttemptKey, str]) -> None:
    if lost := [Lost(key=key, nonce=nonce) for key, nonce in given_up.items()]:
        stuck = await node.line.end_lost(lost)
        log.info("node %s: %d attempts were lost before, %d do not end", node.name, len(lost), len(stuck))


def _offered(capacity: Capacity, found: ClusterNode) -> Capacity:
    """Return what the machine has, and no more of it than it offers in Ray."""
    return replace(
        capacity,
        cpu_milli=min(capacity.cpu_milli, found.cpu_milli),
        memory_bytes=min(capacity.memory_bytes, found.memory_bytes),
        gpus=capacity.gpus[: found.gpus],
        labels=found.labels,
    )
