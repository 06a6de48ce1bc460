"""What a shim is told to run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ShimSpec:
    """One attempt. `env` is complete and final. 0 stands for no limit; times in seconds, sizes in bytes.

    `cgroup` is the control group in which the run's own is made; empty where there is none to be had.

    `contact_file` tells when the manager was heard of last; `contact_seconds` after that, the run is ended.

    With `preload`, the shim is a copy of a warm interpreter with these modules imported, and the module a copy of it.

    A plain class: `dataclasses` alone would cost a shim as much as its interpreter does.
    """

    __slots__ = (
        "attempt",
        "cgroup",
        "command",
        "contact_file",
        "contact_seconds",
        "cpu_milli",
        "cwd",
        "env",
        "grace_seconds",
        "max_log_bytes",
        "max_processes",
        "memory_bytes",
        "nonce",
        "preload",
        "run_id",
        "timeout_seconds",
    )

    def __init__(
        self,
        *,
        run_id: str,
        attempt: int,
        nonce: str,
        command: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        timeout_seconds: float = 0.0,
        grace_seconds: float = 10.0,
        memory_bytes: int = 0,
        max_log_bytes: int = 0,
        max_processes: int = 0,
        cpu_milli: int = 0,
        cgroup: str = "",
        preload: Sequence[str] | None = None,
        contact_file: str = "",
        contact_seconds: float = 0.0,
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.nonce = nonce
        self.command = tuple(command)
        self.cwd = cwd
        self.env = dict(env)
        self.timeout_seconds = timeout_seconds
        self.grace_seconds = grace_seconds
        self.memory_bytes = memory_bytes
        self.max_log_bytes = max_log_bytes
        self.max_processes = max_processes
        self.cpu_milli = cpu_milli
        self.cgroup = cgroup
        self.preload = preload
        self.contact_file = contact_file
        self.contact_seconds = contact_seconds

    def to_json(self, **more: str) -> bytes:
        """Return the spec as the shim reads it, and `more` that whoever starts the shim wants to know."""
        import json  # here, because the shim itself never comes this way

        return json.dumps(more | {name: getattr(self, name) for name in self.__slots__}).encode()
