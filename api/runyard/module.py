"""A module as the caller describes it: what to run, and what it declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from typing import Any, Literal

from runyard_cluster.errors import InvalidRequestError

Size = int | str
Duration = float | str
Path = str | PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fields:
    script: Path | None = None
    command: Sequence[str] | None = None
    args: Sequence[str] = ()
    name: str | None = None
    python: Path | None = None
    cwd: Path | None = None
    env: Mapping[str, str] | None = field(default=None, repr=False)
    num_cpus: float | str | None = None
    num_gpus: float | None = None
    memory: Size | None = None
    gpu_memory: Size | None = None
    node: str | None = None
    timeout: Duration | None = None
    stall_after: Duration | None = None
    on_stall: Literal["tell", "stop"] | None = None
    priority: int | None = None
    labels: Mapping[str, str] | None = None
    max_retries: int | None = None
    retry_on_out_of_memory: float | None = None
    max_concurrent: int | None = None
    after: Sequence[Any] = ()
    after_any: Sequence[Any] = ()
    after_failed: Sequence[Any] = ()
    delay_until: str | None = None
    hold: bool = False
    queue_timeout: Duration | None = None
    retry_delay: Duration | None = None
    retry_backoff: float | None = None
    retry_delay_max: Duration | None = None
    retry_exit_codes: Sequence[int] = ()
    warm: bool = False
    preload: Sequence[str] = ()
    code: Literal["shared", "ship"] | None = None


@dataclass(frozen=True, slots=True)
class Module(_Fields):
    """One run to submit. Exactly one of `script` and `command`, or neither for a module of `runyard.toml`.

    Sizes are bytes or texts as "4GiB", times seconds or texts as "30m"; what is None comes from the module's
    settings, then the defaults. `memory` and `gpu_memory` may be "learn": what past runs of the module needed.
    `after` names runs, or indexes within the batch, that must complete first. `retry_on_out_of_memory`: a run that
    had too little memory is queued again with that many times as much. `stall_after`: a run that shows no sign of life
    for that long is told as stalled, or stopped with `on_stall="stop"`. Runs of `after_any` must have ended first,
    whatever way; with `after_failed` it starts only if one of those does not complete. A run with `hold` waits for
    `Run.release`. It fails if it has not started `queue_timeout` after its submission. `node`: the only node that it
    may start on. With `code="ship"` it runs in a copy of its folder as that is at the submit.
    """

    module_id: str

    def body(self) -> dict[str, Any]:
        """Return the run as REST takes it, without what was left out."""
        return _body({f.name: getattr(self, f.name) for f in fields(self)})


#: What `submit_batch` takes for one run.
ModuleLike = Module | Mapping[str, Any] | tuple[str, Path, Sequence[str]] | tuple[str, Path]


def body_of(module: ModuleLike) -> dict[str, Any]:
    """Return what `submit_batch` was given for one run as REST takes it. Raises InvalidRequestError."""
    try:
        if isinstance(module, Module):
            return module.body()
        if isinstance(module, Mapping):
            return _body(module)
        if isinstance(module, tuple) and 2 <= len(module) <= 3:
            module_id, script, *rest = module
            return _body({"module_id": module_id, "script": script, "args": _list(*rest)})
    except RecursionError as error:
        raise InvalidRequestError("a run is nested too deeply") from error
    raise InvalidRequestError(
        f"a run is a Module, a dict with its keys, or (module_id, script_path, args); not {type(module).__name__}"
    )


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _plain(v) for k, v in given.items() if not _is_left_out(k, v)}


def _list(given: Any = ()) -> Any:
    """Return what can be gone through as a list; a text or a number stays what it is, and is no list of arguments."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else given


def _is_left_out(name: str, value: Any) -> bool:
    """Whether a field says no more than its default; False where a number belongs is no default."""
    default = _DEFAULTS.get(name)
    if isinstance(default, tuple):
        return value is None or (isinstance(value, tuple | list) and not value)
    return value is None or (value is False and default is False)


def _plain(value: Any) -> Any:
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(v) for v in value]
    run_id = getattr(value, "run_id", None)
    return value if run_id is None else run_id


_DEFAULTS: Mapping[str, Any] = {f.name: f.default for f in fields(_Fields)}
