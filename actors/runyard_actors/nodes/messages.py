"""What travels between the manager and the agent of another node: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from runyard_actors.assignment import Started
from runyard_actors.run import AttemptKey, Outcome
from runyard_cluster.capacity import Capacity

#: Counted up with each change of what travels. An agent of an earlier number, which Ray keeps from before an upgrade,
#: is left alone: a new one beside it adopts what runs.
PROTOCOL = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrders:
    """What the agent of a node is made with.

    `data_dir` is the manager's, and `token_digest` that of the token in it: a node that finds the same token at the
    same path shares the disk. `name` is what the node is called in the yard.
    """

    name: str
    data_dir: str
    token_digest: str
    reserve_memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node says of itself. `runs` is where it keeps run folders; `is_shared`: the manager sees them, too.

    `incarnation` is another one for each life of its agent, and for each manager that it works for.
    """

    capacity: Capacity
    boot_id: str
    runs: str
    is_shared: bool
    incarnation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that the store says was lost with its node: whatever is left of it has to end."""

    key: AttemptKey
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An attempt's process runs, or the attempt has ended. `number` counts up for as long as the agent lives."""

    number: int
    key: AttemptKey
    started: Started | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """One file of a run folder: what changes whenever it does."""

    name: str
    size: int
    mtime_ns: int
