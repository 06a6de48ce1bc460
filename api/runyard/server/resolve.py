"""From what was asked to what will run: module, defaults and "auto" filled in, names turned into ids."""

from __future__ import annotations

import errno
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from runyard.server import file_check, places
from runyard.server.batch_body import Checked
from runyard.server.learner import Learner
from runyard.server.node_choice import checked_node
from runyard.server.schemas import AdditionOptions, BatchOptions, RunIn, SubmitIn
from runyard.server.terms import terms_of
from runyard_actors.ids import is_id, new_id, new_ids
from runyard_actors.manager.messages import Submission
from runyard_actors.request import WHOLE, Request
from runyard_actors.run import BatchId, BatchSpec, RunId, RunSpec, all_before
from runyard_actors.shipment import Shipment
from runyard_actors.store.errors import StoreFull
from runyard_actors.store.records import FoundBatch
from runyard_cluster.capacity import Capacity, auto_request
from runyard_cluster.code import Limits, keep_commit, take_snapshot
from runyard_cluster.errors import InvalidRequestError, NotFoundError, UnavailableError
from runyard_cluster.settings import ModuleSettings, Settings

#: What a disk, or a quota, without room is told by.
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: Characters of the list of modules that are shown to who asks for one that is not there.
MAX_NAMES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Fills in what a submission leaves out. `modules` is the registry; `home` is where runs run by default.

    `learner` is asked for requests that are to be learned, and for no other. `find_batch` returns a batch by its id or
    name.
    """

    settings: Settings
    capacity: Capacity
    modules: Mapping[str, ModuleSettings]
    home: str
    learner: Learner
    find_batch: Callable[[str], FoundBatch | None]
    #: What was shipped for this submission, by its folder: one snapshot serves all its runs.
    shipped: dict[str, Shipment] = field(default_factory=dict)

    def has_to_look(self, run: RunIn) -> bool:
        """Whether filling in the run takes a look at disk or store, and with that as long as they let it."""
        module = self._module(run)
        memory = _first(run.memory, module.memory, self.settings.defaults.memory)
        gpu_memory = _first(run.gpu_memory, module.gpu_memory)
        is_shipped = self._code(run, module) == "ship"
        return self.settings.check_files or is_shipped or "learn" in (memory, gpu_memory)

    def single(self, run: SubmitIn, *, key: str | None, digest: str | None) -> Submission:
        """Return the submission of one run. Raises InvalidRequestError or NotFoundError."""
        spec = self._filled(run, (), BatchPlace()).spec(RunId(new_id()), run.args, None)
        return Submission(runs=(spec,), when_full=run.when_full, idempotency_key=key, digest=digest)

    def batch(self, batch: Checked[BatchOptions], *, key: str | None, digest: str | None) -> Submission:
        """Return the submission of a batch. Raises InvalidRequestError naming every bad index."""
        options, batch_id = batch.options, BatchId(new_id())
        return Submission(
            runs=self._specs(batch, batch_id, self._earlier(options.after_batch, len(batch.runs))),
            batch=BatchSpec(
                batch_id=batch_id,
                name=options.name,
                max_concurrent=options.max_concurrent,
                max_failures=options.max_failures,
                is_open=options.open,
                telling=_telling(options),
            ),
            when_full=options.when_full,
            idempotency_key=key,
            digest=digest,
        )

    def addition(
        self, runs: Checked[AdditionOptions], batch_id: str, *, key: str | None, digest: str | None
    ) -> Submission:
        """Return the submission of more runs of an open batch. Raises InvalidRequestError naming every bad index."""
        return Submission(
            runs=self._specs(runs, BatchId(batch_id)),
            batch=BatchSpec(batch_id=BatchId(batch_id)),
            is_addition=True,
            when_full=runs.options.when_full,
            idempotency_key=key,
            digest=digest,
        )

    def _specs(
        self, batch: Checked[Any], batch_id: BatchId, earlier: Sequence[RunId] = ()
    ) -> tuple[RunSpec, ...]:
        ids = [RunId(i) for i in new_ids(len(batch.runs))]
        specs, bad = [], list(batch.bad)
        likes: dict[int, _Filled] = {}
        for index, asked in enumerate(batch.runs):
            if asked is None:
                continue
            try:
                filled = likes.get(id(asked.run)) or self._filled(
                    asked.run, ids, BatchPlace(batch_id, index), earlier[index : index + 1]
                )
            except (InvalidRequestError, NotFoundError) as error:
                bad.append({"index": index, "field": None, "message": str(error)})
                continue
            if not filled.is_of_one:
                likes[id(asked.run)] = filled
            specs.append(filled.spec(ids[index], asked.args, index))
        if bad:
            bad.sort(key=lambda b: b["index"])
            raise InvalidRequestError(_summary(bad), bad)
        return tuple(specs)

    def _filled(
        self, run: RunIn, ids: Sequence[RunId], place: BatchPlace, earlier: Sequence[RunId] = ()
    ) -> _Filled:
        module = self._module(run)
        head = _head(run, module)
        cwd = run.cwd or _text(module.cwd) or self.home
        if self.settings.check_files:
            file_check.check(script=_script(run, module), cwd=cwd)
        module_id = run.module_id or _id_from(run, head)
        request, note = self._request(run, module, module_id)
        after = _dependencies(run.after, ids, place.index)
        if earlier:
            after = tuple(dict.fromkeys((*after, *earlier)))
        terms = terms_of(run, partial(_dependencies, ids=ids, own=place.index), after)
        fields = {
            "module_id": module_id,
            "module_name": run.name or module.name or module_id,
            "args_from": len(head),
            "cwd": cwd,
            "env": _with(module.env, run.env),
            "request": request,
            "request_note": note,
            "preload": _preload(run, module),
            "code": self._shipped(run, module, cwd) if self._code(run, module) == "ship" else None,
            "timeout_seconds": _first(run.timeout, module.timeout, self.settings.defaults.timeout),
            "stall_after_seconds": _first(
                run.stall_after, module.stall_after, self.settings.defaults.stall_after
            ),
            "on_stall": _first(run.on_stall, module.on_stall, self.settings.defaults.on_stall),
            "priority": _first(run.priority, module.priority, 0),
            "labels": _with(module.labels, run.labels),
            "max_retries": _first(run.max_retries, module.max_retries, 0),
            "retry_on_out_of_memory": _first(run.retry_on_out_of_memory, module.retry_on_out_of_memory),
            "max_concurrent": _first(run.max_concurrent, module.max_concurrent),
            "after": after,
            "terms": terms,
            "batch_id": place.batch_id,
        }
        return _Filled(head, fields, is_of_one=bool(all_before(after, terms)))

    def _code(self, run: RunIn, module: ModuleSettings) -> str:
        return str(_first(run.code, module.code, self.settings.defaults.code))

    def _shipped(self, run: RunIn, module: ModuleSettings, cwd: str) -> Shipment:
        """Return the snapshot of the run's folder: the one that it runs in, or that of a script that lies elsewhere."""
        root, script = Path(cwd), _script(run, module)
        if script is not None and not Path(script).is_relative_to(root):
            root = Path(script).parent
        known = self.shipped.get(str(root))
        if known is None:
            limits = Limits(size_bytes=self.settings.max_code_size)
            digest = _snapshot(root, self.settings.data.code, limits)
            known = self.shipped[str(root)] = Shipment(digest, str(root))
        return known

    def _earlier(self, name: str | None, runs: int) -> tuple[RunId, ...]:
        """Return the runs of an earlier batch that those of a new one come after, one by one.

        Nobody knows yet what an open batch will have: all come after it as a whole.
        """
        if name is None:
            return ()
        found = self.find_batch(name)
        if found is None:
            raise InvalidRequestError(
                f"after_batch: no batch {name[:MAX_NAMES]!r} is known, by id or by name"
            )
        if found.is_open:
            return (RunId(found.batch_id),) * runs
        if len(found.runs) != runs:
            raise InvalidRequestError(
                f"after_batch: batch {name[:MAX_NAMES]!r} has {len(found.runs)} runs and this one {runs}; "
                "each of these starts after the one with its index there, so both must have as many"
            )
        return tuple(found.runs)

    def _module(self, run: RunIn) -> ModuleSettings:
        known = self.modules.get(run.module_id) if run.module_id else None
        if known is not None:
            return known
        if run.script is None and run.command is None:
            names = ", ".join(sorted(self.modules)) or "none"
            raise NotFoundError(f"no module {run.module_id!r} is known; known: {names[:MAX_NAMES]}")
        return _NO_MODULE

    def _request(self, run: RunIn, module: ModuleSettings, module_id: str) -> tuple[Request, str | None]:
        auto_cpu, auto_memory = auto_request(self.capacity, self.settings.max_concurrent_runs)
        defaults = self.settings.defaults
        cpus = _first(run.num_cpus, module.num_cpus, defaults.num_cpus)
        asked = _first(run.memory, module.memory, defaults.memory)
        gpu_memory = _first(run.gpu_memory, module.gpu_memory, 0)
        memory = defaults.memory if asked == "learn" else asked
        request = _shared(
            auto_cpu if cpus == "auto" else round(cpus * WHOLE),
            round(_first(run.num_gpus, module.num_gpus, 0) * WHOLE),
            auto_memory if isinstance(memory, str) else memory,
            0 if gpu_memory == "learn" else gpu_memory,
            checked_node(_first(run.node, module.node, "")),
        )
        if asked != "learn" and gpu_memory != "learn":
            return request, None
        return self.learner.learned(
            module_id, request, memory=asked == "learn", gpu_memory=gpu_memory == "learn"
        )


#: What stands in for the module of a run that names its own program.
_NO_MODULE = ModuleSettings(command=("",))


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """Which place of which batch a run takes; none for a single submit."""

    batch_id: BatchId | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class _Filled:
    """All of a run but its id, arguments and index; `is_of_one` if its index made a difference."""

    head: tuple[str, ...]
    fields: Mapping[str, Any]
    is_of_one: bool

    def spec(self, run_id: RunId, args: Sequence[str], index: int | None) -> RunSpec:
        """Return the run."""
        return RunSpec(run_id=run_id, command=(*self.head, *args), batch_index=index, **self.fields)


def digest(path: str, body: bytes) -> str:
    """Return what tells one request from another."""
    return hashlib.sha256(path.encode() + b"\n" + body).hexdigest()


def _head(run: RunIn, module: ModuleSettings) -> tuple[str, ...]:
    """Return the command without the run's own arguments."""
    if run.command is not None:
        return tuple(run.command)
    if run.script is not None:
        return (run.python or _text(module.python) or sys.executable, _absolute(run))
    if module.command:
        return tuple(module.command)
    return (run.python or _text(module.python) or sys.executable, str(module.script))


def _telling(options: BatchOptions) -> dict[str, Any]:
    given = {"on_end": options.on_end, "webhook": options.webhook}
    return {k: v for k, v in given.items() if v}


def _script(run: RunIn, module: ModuleSettings) -> str | None:
    if run.script is not None:
        return _absolute(run)
    return None if run.command is not None else _text(module.script)


def _absolute(run: RunIn) -> str:
    assert run.script is not None
    return run.script if Path(run.script).is_absolute() or run.cwd is None else str(Path(run.cwd, run.script))


def _id_from(run: RunIn, command: Sequence[str]) -> str:
    return _name_of_script(run.script) if run.script is not None else _name_of_program(command[0])


@lru_cache(1_000)
def _name_of_script(path: str) -> str:
    return Path(path).stem[:200] or "script"


@lru_cache(1_000)
def _name_of_program(path: str) -> str:
    return Path(path).name[:200] or "command"


def _preload(run: RunIn, module: ModuleSettings) -> tuple[str, ...] | None:
    """Return what is imported before the run starts; None for a cold start."""
    if not (run.warm or module.warm):
        return None
    return tuple(dict.fromkeys((*module.preload, *run.preload)))


def _dependencies(
    after: Sequence[int | str], ids: Sequence[RunId], own: int | None, field: str = "after"
) -> tuple[RunId, ...]:
    if not after:
        return ()
    found: list[RunId] = []
    for each in after:
        if isinstance(each, str):
            if not is_id(each):
                raise InvalidRequestError(f"{field}: {each!r} is no run id")
            found.append(RunId(each))
        elif not 0 <= each < len(ids):
            raise InvalidRequestError(f"{field}: there is no run {each} in this batch")
        elif each == own:
            raise InvalidRequestError(f"{field}: a run cannot come after itself")
        else:
            found.append(ids[each])
    return tuple(dict.fromkeys(found))


_requests: dict[tuple[int, int, int, int, str], Request] = {}


def _shared(cpu: int, gpu: int, memory: int, gpu_memory: int, node: str) -> Request:
    """Return one object for equal requests: a queue of a million runs holds few different ones."""
    key = (cpu, gpu, memory, gpu_memory, node)
    if key not in _requests:
        if len(_requests) > 10_000:
            _requests.clear()
        _requests[key] = Request(
            cpu_milli=cpu, gpu_milli=gpu, memory_bytes=memory, gpu_memory_bytes=gpu_memory, node=node
        )
    return _requests[key]


def _summary(bad: Sequence[Mapping[str, Any]]) -> str:
    indexes = list(dict.fromkeys(b["index"] for b in bad))
    shown = ", ".join(map(str, indexes[:20])) + (", …" if len(indexes) > 20 else "")
    return f"runs {shown} are wrong, so none was accepted; {places.sentence(bad[:1])}"


def _first(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None


def _with(given: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Return both together: the same object for all runs that have nothing to add, which travels and is stored once."""
    return {**given, **more} if more else given


def _text(path: Path | str | None) -> str | None:
    return None if path is None else str(path)


def _snapshot(root: Path, folder: Path, limits: Limits) -> str:
    try:
        digest = take_snapshot(root, folder, limits)
        keep_commit(root, folder, digest)
    except OSError as error:
        # What is wrong with `root` itself is told by the snapshot.
        words = f"code cannot be shipped: {folder} cannot be written: {error.strerror}"
        if error.errno in _FULL:
            raise StoreFull(f"{words}; free some space and try again") from error
        raise UnavailableError(words) from error
    return digest
