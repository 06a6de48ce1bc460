"""How a copy of a warm interpreter becomes the module: it lets go of all it was doing, and runs the program itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.spec import ShimSpec


class TakeOver(BaseException):
    """Raised in the module's own process where another would become the program by `exec`."""

    def __init__(self, spec: ShimSpec) -> None:
        super().__init__()
        self.spec = spec
