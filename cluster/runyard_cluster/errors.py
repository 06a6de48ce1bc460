"""Every error a user can meet.

RunyardError
├── InvalidRequestError (also a ValueError)      something asked for is malformed
│   └── SettingsError                            runyard.toml or a RUNYARD_* variable is wrong
├── ResourceLimitError                           no node here can ever hold the request
├── ConcurrencyLimitError (also a RuntimeError)  all slots are taken and when_full is "reject"
├── ConflictError                                the call does not fit the state of what it names
├── NotFoundError                                no run, batch or module of that name
├── AuthenticationError                          the token is missing or wrong
├── ConnectionFailedError (also a ConnectionError)  no server answers
├── UnavailableError                             the server answers, but cannot accept work right now
└── RunError                                     a run did not complete
    ├── RunFailedError
    ├── RunTimeoutError
    ├── RunCancelledError
    └── RunLostError

Each class's docstring is its default message. All fields go to `Exception.__init__`, so every error pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AuthenticationError",
    "ConcurrencyLimitError",
    "ConflictError",
    "ConnectionFailedError",
    "InvalidRequestError",
    "NotFoundError",
    "ResourceLimitError",
    "RunCancelledError",
    "RunError",
    "RunFailedError",
    "RunLostError",
    "RunTimeoutError",
    "RunyardError",
    "SettingsError",
    "UnavailableError",
]


class RunyardError(Exception):
    """runyard could not do what was asked."""

    def __init__(self, message: str = "", details: Sequence[Mapping[str, Any]] = ()) -> None:
        """`details` names each offending place: `{"index": 3, "field": "memory", "message": "..."}`."""
        super().__init__(message or (type(self).__doc__ or "").strip(), details)
        self.message: str = self.args[0]
        self.details: tuple[dict[str, Any], ...] = tuple(dict(d) for d in details)

    def __str__(self) -> str:
        return self.message


class InvalidRequestError(RunyardError, ValueError):
    """The request is malformed; the message names the field and what is allowed."""


class SettingsError(InvalidRequestError):
    """A setting is wrong; the message names the file, the key and what is allowed."""


class ResourceLimitError(RunyardError):
    """No node here can ever hold this request; ask for less or add a larger node."""


class ConcurrencyLimitError(RunyardError, RuntimeError):
    """Max concurrent runs reached; wait for a run to end, or submit with when_full="queue"."""


class ConflictError(RunyardError):
    """The call does not fit the current state of what it names."""


class NotFoundError(RunyardError):
    """Nothing of that name is known here; `runyard history` lists what is."""


class AuthenticationError(RunyardError):
    """The token is missing or wrong; it lies in the file `token` of the server's data folder."""


class ConnectionFailedError(RunyardError, ConnectionError):
    """No runyard server answers; start one with `runyard up`."""


class UnavailableError(RunyardError):
    """The server cannot accept work right now; try again in a few seconds."""


class RunError(RunyardError):
    """The run did not complete."""

    def __init__(self, message: str = "", run: Mapping[str, Any] | None = None, log_tail: str = "") -> None:
        """`run` is the run as JSON; `log_tail` its last log lines."""
        Exception.__init__(self, message or (type(self).__doc__ or "").strip(), run, log_tail)
        self.message = self.args[0]
        self.details = ()
        self.run: dict[str, Any] = dict(run or {})
        self.log_tail = log_tail

    @property
    def run_id(self) -> str | None:
        """The run's id."""
        return self.run.get("run_id")

    @property
    def reason(self) -> str | None:
        """Why the run did not complete, a word of the fixed list."""
        return self.run.get("reason")

    @property
    def exit_code(self) -> int | None:
        """The exit code, when the process ended by itself."""
        return self.run.get("exit_code")


class RunFailedError(RunError):
    """The run failed; its log says more."""


class RunTimeoutError(RunError):
    """The run passed its time limit and was stopped."""


class RunCancelledError(RunError):
    """The run was cancelled before it completed."""


class RunLostError(RunError):
    """The run's node or supervisor was lost, so its outcome is unknown."""
