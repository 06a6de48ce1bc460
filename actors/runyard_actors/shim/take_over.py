"""How a copy of a warm interpreter becomes the module: it lets go of all it was doing, and runs the program itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runyard_actors.shim.spec import ShimSpec

    Prepare = Callable[[ShimSpec], object]


class TakeOver(BaseException):
    """Raised in the module's own process where another would become the program by `exec`."""

    def __init__(self, program: object) -> None:
        """`program` is what was prepared for it before there was that process."""
        super().__init__()
        self.program = program


_prepare: Prepare | None = None


def prepare_with(prepare: Prepare) -> None:
    """Have `prepare` say, before a copy is made, what it is to be: most of what a copy costs is what it looks at."""
    global _prepare
    _prepare = prepare


def prepared(spec: ShimSpec) -> object:
    """Return what a copy is to be; nothing where no copies are made."""
    return _prepare(spec) if _prepare and spec.preload is not None else None
