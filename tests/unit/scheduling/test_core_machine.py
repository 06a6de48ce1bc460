"""The rules of the core, held against any history hypothesis can think of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runyard_actors.request import Request
from runyard_actors.run import BatchId, BatchSpec, Placement, Reason, RunId
from runyard_actors.scheduling.core import Core, Drop, HeadOfQueue, QueuedRun, Start
from runyard_actors.scheduling.node import GpuSpec, Measured, NodeSpec, Use
from tests.unit.scheduling.ledger_model import LABELS, MEANT, Held, Left, TrulyFree, fits, fits_beside, left

NODES = ("a", "b", "c")
MODULES = ("m", "n")
BATCHES = (None, "x", "y", "z")

wanted_nodes = st.sampled_from(["", "", "", *NODES, *MEANT])
requests = st.one_of(
    st.builds(
        Request,
        cpu_milli=st.sampled_from([0, 500, 1000, 2000, 4000]),
        memory_bytes=st.integers(0, 8),
        node=wanted_nodes,
    ),
    st.builds(
        Request,
        cpu_milli=st.sampled_from([0, 1000]),
        gpu_milli=st.sampled_from([0, 250, 500, 1000, 2000]),
        gpu_memory_bytes=st.integers(0, 6),
        node=wanted_nodes,
    ),
)
capacities = st.tuples(
    st.sampled_from([1000, 4000, 6000]), st.integers(2, 10), st.lists(st.sampled_from([4, 6]), max_size=3)
)
limits = st.none() | st.integers(0, 3)


@dataclass
class Known:
    """What the test knows of a run."""

    run: QueuedRun
    arrival: int
    state: str = "queued"
    placement: Placement | None = None
    missing: set[RunId] = field(default_factory=set)


class CoreMachine(RuleBasedStateMachine):
    """Any events, each followed by one decision at a time that is checked against the naive ledger."""

    @initialize(
        slots=st.integers(1, 6),
        capacity=capacities,
        truly_free=st.none()
        | st.tuples(st.integers(0, 10), st.lists(st.none() | st.integers(0, 6), max_size=3)),
        wanted=st.lists(st.tuples(requests, st.integers(0, 1)), max_size=10),
    )
    def begin(
        self,
        slots: int,
        capacity: tuple[int, int, list[int]],
        truly_free: tuple[int, list[int | None]] | None,
        wanted: list[tuple[Request, int]],
    ) -> None:
        self.core = Core(max_concurrent_runs=slots)
        self.slots = slots
        self.nodes: dict[str, NodeSpec] = {}
        self.guarded: set[str] = set()
        self.runs: dict[RunId, Known] = {}
        self.module_limits: dict[str, int | None] = {}
        self.batch_limits: dict[str | None, int | None] = {}
        self.max_failures: dict[str | None, int | None] = {}
        self.failures: dict[str | None, int] = {}
        self.arrivals = 0
        self.head: HeadOfQueue | None = None
        self.not_backfill: set[RunId] = set()
        self.measured: dict[str, TrulyFree] = {}
        self.put_node("a", capacity)
        if truly_free is not None:
            self.learn("a", *truly_free, {})
        runs: list[QueuedRun] = []
        for request, priority in wanted:
            self.arrivals += 1
            runs.append(QueuedRun(RunId(f"r{self.arrivals:04}"), request, "m", None, priority))
            self.runs[runs[-1].run_id] = Known(runs[-1], self.arrivals)
        self.core.on_submitted(runs)
        self.decide()

    # Events

    @rule(name=st.sampled_from(NODES), capacity=capacities)
    def put_node(self, name: str, capacity: tuple[int, int, list[int]]) -> None:
        cpu, memory, gpus = capacity
        specs = tuple(GpuSpec(index=i, memory_bytes=size) for i, size in enumerate(gpus))
        self.nodes[name] = NodeSpec(
            name=name, cpu_milli=cpu, memory_bytes=memory, gpus=specs, labels=LABELS.get(name, ())
        )
        self.core.on_node(self.nodes[name])
        if name in self.measured:
            kept = {i: free for i, free in self.measured[name].gpus.items() if i < len(gpus)}
            self.measured[name].gpus = kept
        self.head = None
        self.decide()

    @rule(name=st.sampled_from(NODES))
    def drop_node(self, name: str) -> None:
        self.core.on_node_gone(name)
        self.nodes.pop(name, None)
        self.guarded.discard(name)
        self.measured.pop(name, None)
        self.head = None
        self.decide()

    @rule(
        data=st.data(),
        name=st.sampled_from(NODES),
        memory=st.integers(-1, 12),
        gpus=st.lists(st.none() | st.integers(0, 7), max_size=3),
    )
    def measure(self, data: st.DataObject, name: str, memory: int, gpus: list[int | None]) -> None:
        """Any free memory, and any use by runs, whether or not the two agree."""
        active = [r for r in self.of_state("active") if self.is_on(r, name)]
        of_run = st.tuples(st.integers(0, 6), st.integers(0, 6))
        used = data.draw(st.dictionaries(st.sampled_from(active), of_run)) if active else {}
        self.learn(name, memory, gpus, used)
        self.decide()

    def learn(
        self, name: str, memory: int, gpus: list[int | None], used: dict[RunId, tuple[int, int]]
    ) -> None:
        """Tell the core what is truly free."""
        uses = {r: Use(memory_bytes=m, gpu_memory_bytes=g) for r, (m, g) in used.items()}
        self.core.on_measured(name, Measured(memory_bytes=memory, gpu_memory_bytes=tuple(gpus), used=uses))
        if name in self.nodes:
            indexes = [gpu.index for gpu in self.nodes[name].gpus]
            at = {r: k.placement for r, k in self.runs.items() if k.placement and self.is_on(r, name)}
            self.measured[name] = TrulyFree(memory, dict(zip(indexes, gpus, strict=False)), used, at)
            self.head = None

    @rule(name=st.sampled_from(NODES), held=st.booleans())
    def guard(self, name: str, held: bool) -> None:
        if name in self.nodes:
            self.core.on_guard(name, "busy" if held else None)
            (self.guarded.add if held else self.guarded.discard)(name)
            self.decide()

    @rule(slots=st.integers(0, 6))
    def change_slots(self, slots: int) -> None:
        self.slots = slots
        self.core.set_max_concurrent_runs(slots)
        self.decide()

    @rule(module=st.sampled_from(MODULES), limit=limits)
    def change_module(self, module: str, limit: int | None) -> None:
        self.module_limits[module] = limit
        self.core.set_module_limit(module, limit)
        self.decide()

    @rule(
        data=st.data(),
        batch=st.sampled_from(BATCHES),
        limit=limits,
        max_failures=st.none() | st.integers(1, 3),
        wanted=st.lists(
            st.tuples(requests, st.sampled_from(MODULES), st.integers(0, 2), st.booleans()),
            min_size=1,
            max_size=6,
        ),
    )
    def submit(
        self,
        data: st.DataObject,
        batch: str | None,
        limit: int | None,
        max_failures: int | None,
        wanted: list[tuple[Request, str, int, bool]],
    ) -> None:
        open_ids = sorted(r for r, known in self.runs.items() if known.state in ("queued", "active"))
        runs: list[QueuedRun] = []
        for request, module, priority, depends in wanted:
            self.arrivals += 1
            others = [*open_ids, *(r.run_id for r in runs)]
            after = (data.draw(st.sampled_from(others)),) if depends and others else ()
            batch_id = BatchId(batch) if batch else None
            run_id = RunId(f"r{self.arrivals:04}")
            runs.append(QueuedRun(run_id, request, module, batch_id, priority, after))
            self.runs[run_id] = Known(runs[-1], self.arrivals, missing=set(after))
        if batch:
            if not any(
                k.run.batch_id == batch and k.state in ("queued", "active") and k.run not in runs
                for k in self.runs.values()
            ):
                self.failures[batch] = 0
            self.batch_limits[batch], self.max_failures[batch] = limit, max_failures
            if max_failures is not None and self.failures[batch] >= max_failures:
                self.failures[batch] = 0
            spec = BatchSpec(batch_id=BatchId(batch), max_concurrent=limit, max_failures=max_failures)
            self.core.on_submitted(runs, spec)
        else:
            self.core.on_submitted(runs)
        self.decide()

    @rule(data=st.data(), request=requests, module=st.sampled_from(MODULES), name=st.sampled_from(NODES))
    def adopt(self, data: st.DataObject, request: Request, module: str, name: str) -> None:
        count = max(1, request.whole_gpus) if request.needs_gpu else 0
        placement = Placement(node=name, gpu_indexes=tuple(range(count)))
        self.arrivals += 1
        run = QueuedRun(RunId(f"r{self.arrivals:04}"), request, module)
        self.runs[run.run_id] = Known(run, self.arrivals, "active", placement)
        self.not_backfill.add(run.run_id)
        self.core.on_adopted(run, placement)
        self.decide()

    @rule(data=st.data(), succeeded=st.booleans(), retry=st.booleans())
    def end(self, data: st.DataObject, succeeded: bool, retry: bool) -> None:
        if active := self.of_state("active"):
            self.finish(data.draw(st.sampled_from(active)), succeeded, retry and not succeeded)
            self.decide()

    @rule(data=st.data(), factor=st.sampled_from([1.5, 2, 16]), of_gpu=st.booleans())
    def retry_with_more_memory(self, data: st.DataObject, factor: float, of_gpu: bool) -> None:
        if not (active := self.of_state("active")):
            return
        known = self.runs[run_id := data.draw(st.sampled_from(active))]
        larger = self.core.with_more_memory(known.run.request, factor, of_gpu=of_gpu)
        if larger is not None:
            assert self.core.can_ever_fit(larger) is None
            known.run = replace(known.run, request=larger)
            self.finish(run_id, succeeded=False, retry=True, request=larger)
            self.decide()

    @rule(data=st.data(), count=st.integers(1, 4))
    def fail_to_start(self, data: st.DataObject, count: int) -> None:
        for run_id in self.of_state("active")[-count:]:
            known = self.runs[run_id]
            known.state, known.placement = "queued", None
            self.note_end(run_id)
            self.core.on_start_failed(run_id)
        self.head = None
        self.decide()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.runs:
            run_id = data.draw(st.sampled_from(sorted(self.runs)))
            was_queued = self.runs[run_id].state == "queued"
            assert self.core.on_cancelled(run_id) == was_queued
            if was_queued:
                self.runs[run_id].state = "ended"
                self.fail_dependents(run_id)
            self.decide()

    @rule(batch=st.sampled_from(["x", "y", "z"]))
    def cancel_batch(self, batch: str) -> None:
        queued = [r for r in self.of_state("queued") if self.runs[r].run.batch_id == batch]
        assert sorted(self.core.on_batch_cancelled(BatchId(batch))) == queued
        for run_id in queued:
            self.runs[run_id].state = "ended"
        for run_id in queued:
            self.fail_dependents(run_id)
        self.decide()

    @rule()
    def pause_and_resume(self) -> None:
        self.core.pause()
        assert not any(isinstance(d, Start) for d in self.core.decide())
        self.core.resume()
        self.decide()

    # The decisions, one by one

    def decide(self) -> None:
        self.stop_failed_batches()
        while True:
            before = self.core.head
            startable = self.startable(before)
            decisions = self.core.decide(1)
            starts = [d for d in decisions if isinstance(d, Start)]
            for drop in decisions:
                if isinstance(drop, Drop):
                    self.check_drop(drop)
            after = self.core.head
            for start in starts:
                self.check_start(start, before, startable, after)
            self.check_head(after, {s.run_id for s in starts})
            if not starts:
                break
        assert self.startable(after) == [], "a run that may start was left waiting"
        self.check_nobody_before_the_head(after)
        assert not self.of_state("doomed"), "a run that never may start was not dropped"

    def check_drop(self, drop: Drop) -> None:
        known = self.runs[drop.run_id]
        assert known.state == "doomed"
        known.state = "ended"
        assert drop.reason in (Reason.DEPENDENCY_FAILED, Reason.BATCH_CANCELLED)

    def check_start(
        self, start: Start, before: HeadOfQueue | None, startable: list[RunId], after: HeadOfQueue | None
    ) -> None:
        known = self.runs[start.run_id]
        assert known.state == "queued", "started twice, or after it was gone"
        assert not known.missing, "started before what it comes after"
        assert self.has_slots(known, None)
        assert start.placement.node not in self.guarded
        spec = self.nodes[start.placement.node]
        rest = self.rest(spec.name)
        gpus = start.placement.gpu_indexes if known.run.request.needs_gpu else None
        assert fits(known.run.request, rest, gpus), "more was given than there is"
        if after is not None and after.room is not None and after.room.node == spec.name:
            head = self.runs[after.run_id].run
            if known.run.priority <= head.priority and not self.is_lifted(before, after):
                assert fits_beside(known.run.request, head.request, after.room, rest)
        for other in self.line_of(known):
            assert other.arrival > known.arrival, "a line is not served in order"
        urgent = [r for r in startable if self.runs[r].run.priority > known.run.priority]
        assert not set(urgent) & set(self.startable(after)), "a higher priority was passed over"
        known.state, known.placement = "active", start.placement

    def check_head(self, head: HeadOfQueue | None, started: set[RunId]) -> None:
        """Once all that ran on the kept node when it was chosen has ended, the head fits there."""
        if head is not None:
            known = self.runs[head.run_id]
            assert known.state == "queued"
            able = [name for name in self.nodes if fits(known.run.request, self.rest_when_ended(name, []))]
            assert able, "the head waits for other programs"
            fitting = [name for name, rest in self.rests().items() if fits(known.run.request, rest)]
            has_slot = len(self.of_state("active")) < self.slots
            assert started or not (fitting and has_slot), "the head could start"
        if head is None or head.room is None:
            self.head = None
            return
        if self.head != head:
            self.head = head
            self.not_backfill = {r for r in self.of_state("active") if r not in started}
        priority = self.runs[head.run_id].run.priority
        self.not_backfill |= {r for r in started if self.runs[r].run.priority > priority}
        backfill: list[Held] = [
            (k.run.request, k.placement)
            for r, k in self.runs.items()
            if k.state == "active" and k.placement and r not in self.not_backfill
        ]
        rest = self.rest_when_ended(head.room.node, backfill)
        gpus = head.room.gpu_indexes if self.runs[head.run_id].run.request.needs_gpu else None
        assert fits(self.runs[head.run_id].run.request, rest, gpus), "the head was delayed"

    def check_nobody_before_the_head(self, head: HeadOfQueue | None) -> None:
        """Of a higher priority, nothing waits for resources alone without being the head."""
        if head is None:
            return
        for known in (self.runs[r] for r in self.of_state("queued")):
            if known.run.priority > self.runs[head.run_id].run.priority and not known.missing:
                is_able = any(fits(known.run.request, self.rest_when_ended(name, [])) for name in self.nodes)
                assert not (is_able and self.has_slots(known, None)), "a higher priority is not the head"

    # What the test knows by itself

    def startable(self, head: HeadOfQueue | None) -> list[RunId]:
        """Return the queued runs that may start beside what is kept for the head."""
        rests = self.rests()
        return [r for r in self.of_state("queued") if self.may_start(self.runs[r], head, rests)]

    def may_start(self, known: Known, head: HeadOfQueue | None, rests: dict[str, Left]) -> bool:
        kept = self.runs[head.run_id] if head and head.run_id != known.run.run_id else None
        if kept is not None and (kept.state != "queued" or known.run.priority > kept.run.priority):
            kept = None
        if known.missing or not self.has_slots(known, kept):
            return False
        room = head.room if head and kept else None
        for name, rest in rests.items():
            if not fits(known.run.request, rest):
                continue
            if kept is None or room is None or room.node != name:
                return True
            if fits_beside(known.run.request, kept.run.request, room, rest):
                return True
        return False

    def rests(self) -> dict[str, Left]:
        """What is left on each node that may start runs."""
        return {name: self.rest(name) for name in self.nodes if name not in self.guarded}

    def rest(self, name: str) -> Left:
        """What is left on a node, of what is not declared and of what is truly free."""
        held = {
            r: (k.run.request, k.placement)
            for r, k in self.runs.items()
            if k.placement is not None and self.is_on(r, name)
        }
        truly = self.measured.get(name)
        spec = self.nodes[name]
        return left(spec, held.values(), truly.spare(held)) if truly else left(spec, held.values())

    def rest_when_ended(self, name: str, but: list[Held]) -> Left:
        """What would be left on a node if all had ended but these."""
        truly = self.measured.get(name)
        spare = (
            truly.with_all_ended().spare(
                {RunId(str(i)): each for i, each in enumerate(but) if each[1].node == name}
            )
            if truly
            else None
        )
        return left(self.nodes[name], but, spare) if spare else left(self.nodes[name], but)

    def is_on(self, run_id: RunId, name: str) -> bool:
        placement = self.runs[run_id].placement
        return placement is not None and placement.node == name

    def note_end(self, run_id: RunId) -> None:
        for truly in self.measured.values():
            truly.end(run_id)

    def has_slots(self, known: Known, kept: Known | None) -> bool:
        run = known.run
        active = [k.run for k in self.runs.values() if k.state == "active"]
        module_limit, batch_limit = self.module_limits.get(run.module_id), self.batch_limits.get(run.batch_id)
        in_module = sum(r.module_id == run.module_id for r in active)
        in_batch = sum(r.batch_id == run.batch_id for r in active)
        if kept is not None:
            in_module += kept.run.module_id == run.module_id
            in_batch += kept.run.batch_id == run.batch_id
        return (
            len(active) < self.slots
            and (module_limit is None or in_module < module_limit)
            and (run.batch_id is None or batch_limit is None or in_batch < batch_limit)
        )

    def held(self) -> list[Held]:
        return [
            (k.run.request, k.placement) for k in self.runs.values() if k.state == "active" and k.placement
        ]

    def of_state(self, state: str) -> list[RunId]:
        return sorted(r for r, known in self.runs.items() if known.state == state)

    def line_of(self, known: Known) -> Iterator[Known]:
        """Yield the other queued runs of the batch, priority, module and request."""

        def line(k: Known) -> tuple[object, ...]:
            return (k.run.batch_id, k.run.priority, k.run.module_id, k.run.request)

        for other in self.runs.values():
            if (
                other is not known
                and other.state == "queued"
                and not other.missing
                and line(other) == line(known)
            ):
                yield other

    @staticmethod
    def is_lifted(before: HeadOfQueue | None, after: HeadOfQueue | None) -> bool:
        """Whether the head was another one when the decision began, so that the start may have come before it."""
        return before != after

    def finish(self, run_id: RunId, succeeded: bool, retry: bool, request: Request | None = None) -> None:
        known = self.runs[run_id]
        known.placement = None
        self.note_end(run_id)
        self.not_backfill.discard(run_id)
        self.core.on_ended(run_id, succeeded=succeeded, retry=retry, request=request)
        if retry:
            self.arrivals += 1
            known.state, known.arrival = "queued", self.arrivals
            return
        known.state = "ended"
        if succeeded:
            for other in self.runs.values():
                other.missing.discard(run_id)
        else:
            self.fail_dependents(run_id)
            if known.run.batch_id:
                self.failures[known.run.batch_id] += 1

    def fail_dependents(self, run_id: RunId) -> None:
        for other_id, other in self.runs.items():
            if run_id in other.missing and other.state == "queued":
                other.state = "doomed"
                self.fail_dependents(other_id)

    def stop_failed_batches(self) -> None:
        for run_id in self.of_state("queued"):
            known = self.runs[run_id]
            limit = self.max_failures.get(known.run.batch_id)
            if known.run.batch_id and limit is not None and self.failures[known.run.batch_id] >= limit:
                known.state = "doomed"
                self.fail_dependents(run_id)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "core"):
            counts = self.core.counts()
            queued = self.of_state("queued")
            assert counts.active == len(self.of_state("active"))
            assert counts.waiting_for_dependencies == sum(bool(self.runs[r].missing) for r in queued)
            assert counts.queued == len(queued) - counts.waiting_for_dependencies
            held = self.held()
            for name, spec in self.nodes.items():
                rest, free = left(spec, held), self.core.free_on(name)
                assert (free.cpu_milli, free.memory_bytes) == (rest.cpu, rest.memory)
                assert [(g.milli, g.memory_bytes) for g in free.gpus] == [g[:2] for g in rest.gpus.values()]

    @invariant()
    def who_waits_knows_why(self) -> None:
        if hasattr(self, "core"):
            for run_id, known in self.runs.items():
                assert (self.core.waiting_for(run_id) is not None) == (known.state == "queued")

    def teardown(self) -> None:
        """Given all that is needed, everything comes to its end, and nothing is left in the books."""
        if not hasattr(self, "core"):
            return
        for name in NODES:
            self.core.on_guard(name, None)
            self.guarded.discard(name)
            self.put_node(name, (6000, 10, [6, 6, 6]))
            self.core.on_measured(name, Measured(memory_bytes=100, gpu_memory_bytes=(100, 100, 100)))
            self.measured.pop(name, None)
        for module in MODULES:
            self.change_module(module, None)
        for batch in ("x", "y", "z"):
            self.batch_limits[batch] = None
            known = BatchSpec(batch_id=BatchId(batch), max_failures=self.max_failures.get(batch))
            self.core.on_batch(known, failures=self.failures.get(batch, 0))
        self.change_slots(4)
        while active := self.of_state("active"):
            self.finish(active[0], True, False)
            self.decide()
        assert not self.of_state("queued"), "a run never came to its turn"


CoreMachine.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCoreMachine = CoreMachine.TestCase
