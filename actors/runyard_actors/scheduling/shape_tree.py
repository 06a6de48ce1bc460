"""Shape tree: shapes that ask for nearly the same side by side.

Each part of it knows the least that any of its shapes asks for of CPU and memory, and a key that none of them is
before. A search leaves out the parts in which nothing fits, and those in which nothing is before what it has found.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from runyard_actors.scheduling.line import Shape
from runyard_actors.scheduling.neighbourhood import Code
from runyard_actors.scheduling.order import NOWHERE, Key
from runyard_actors.scheduling.room import Room

#: Shapes of a leaf, and parts of a branch, at most; then it is split in two.
WIDTH: Final = 16

#: More than any node has.
ENDLESS: Final = 1 << 100


class Part:
    """The least of what lies below; `is_loose`: something was taken out since that was exact."""

    __slots__ = ("code", "cpu", "is_loose", "key", "memory", "parent")

    def __init__(self) -> None:
        self.code: Code = ()
        self.cpu = self.memory = ENDLESS
        self.key: Key = NOWHERE
        self.is_loose = False
        self.parent: Branch | None = None

    def lower_key(self, key: Key) -> None:
        """Something below has this key."""
        part: Part | None = self
        while part is not None and key < part.key:
            part.key = key
            part = part.parent

    def _take_in(self, cpu: int, memory: int, key: Key) -> None:
        self.cpu, self.memory, self.key = min(self.cpu, cpu), min(self.memory, memory), min(self.key, key)


class Leaf(Part):
    """Some shapes by their code."""

    __slots__ = ("codes", "shapes")

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[Code] = []
        self.shapes: list[Shape] = []

    def insert(self, code: Code, shape: Shape, leaf_of: dict[Shape, Leaf]) -> Leaf | None:
        """Take a shape in; return the leaf that was split off, if it was too many."""
        at = bisect_right(self.codes, code)
        self.codes.insert(at, code)
        self.shapes.insert(at, shape)
        leaf_of[shape] = self
        self._take_in(shape.cpu, shape.memory, shape.bound)
        return self._split(leaf_of) if len(self.shapes) > WIDTH else None

    def remove(self, shape: Shape) -> None:
        """Take a shape out."""
        at = self.shapes.index(shape)
        del self.shapes[at], self.codes[at]
        part: Part | None = self
        while part is not None and not part.is_loose:
            part.is_loose = True
            part = part.parent

    def first(self, cpu: int, memory: int, room: Room | None, before: Key) -> Shape | None:
        """Return the first shape by key that fits, if its key is before the given one."""
        while True:
            best, least = None, before
            for shape in self.shapes:
                if (
                    shape.cpu <= cpu
                    and shape.memory <= memory
                    and shape.bound < least
                    and (room is None or not shape.is_particular or room.gpus(shape) is not None)
                ):
                    best, least = shape, shape.bound
            if best is None:
                if self.is_loose:
                    self._tighten()
                return None
            key = best.key()
            if key == least:
                return best
            best.bound = key
            if least == self.key:
                self.key = min([each.bound for each in self.shapes])

    def _split(self, leaf_of: dict[Shape, Leaf]) -> Leaf:
        half, other = len(self.shapes) // 2, Leaf()
        other.codes, other.shapes = self.codes[half:], self.shapes[half:]
        del self.codes[half:], self.shapes[half:]
        other.code = other.codes[0]
        for shape in other.shapes:
            leaf_of[shape] = other
        other._tighten()
        self._tighten()
        return other

    def _tighten(self) -> None:
        self.is_loose = False
        self.cpu = min([each.cpu for each in self.shapes], default=ENDLESS)
        self.memory = min([each.memory for each in self.shapes], default=ENDLESS)
        self.key = min([each.bound for each in self.shapes], default=NOWHERE)


class Branch(Part):
    """Some leaves or branches by their codes."""

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[Leaf | Branch]) -> None:
        super().__init__()
        self.parts = list(parts)
        self.code = self.parts[0].code
        for part in self.parts:
            part.parent = self
        self._tighten()

    def insert(self, code: Code, shape: Shape, leaf_of: dict[Shape, Leaf]) -> Branch | None:
        """Take a shape in; return the branch that was split off, if it was too many."""
        at = max(0, bisect_right(self.parts, code, key=_code) - 1)
        split = self.parts[at].insert(code, shape, leaf_of)
        self._take_in(shape.cpu, shape.memory, shape.bound)
        if split is None:
            return None
        split.parent = self
        self.parts.insert(at + 1, split)
        return self._split() if len(self.parts) > WIDTH else None

    def first(self, cpu: int, memory: int, room: Room | None, before: Key) -> Shape | None:
        """Return the first shape by key that fits, if its key is before the given one."""
        hopeful = [p for p in self.parts if p.cpu <= cpu and p.memory <= memory and p.key < before]
        if len(hopeful) > 1:
            hopeful.sort(key=_key)
        best = None
        for part in hopeful:
            if part.key < before and (found := part.first(cpu, memory, room, before)) is not None:
                best, before = found, found.bound
        if best is None and self.is_loose:
            self._tighten()
        return best

    def _split(self) -> Branch:
        half = len(self.parts) // 2
        other = Branch(self.parts[half:])
        del self.parts[half:]
        self._tighten()
        return other

    def _tighten(self) -> None:
        self.is_loose = any(part.is_loose for part in self.parts)
        self.cpu = min([part.cpu for part in self.parts])
        self.memory = min([part.memory for part in self.parts])
        self.key = min([part.key for part in self.parts])


_code = attrgetter("code")
_key = attrgetter("key")
