"""Play a workload through the production core, and through two simple schedulers beside it.

    python tests/benchmarks/simulator.py [--runs 20000] [--nodes 20] [--seed 1] [--spread 0.5 | --packing]
    python tests/benchmarks/simulator.py --database FILE [--nodes 1 | --node CPUS,GIB[,GPUS,GIB]]
    python tests/benchmarks/simulator.py --runs 1000000 --nodes 1000 --only runyard

The clock is simulated, the decisions are not: time jumps from one submission or end to the next. Prints a table in
Markdown. Each schedule is checked from scratch for runs that never ran, and for more held than there is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from runyard_actors.run import Placement, RunId
from runyard_actors.scheduling.node import NodeSpec
from runyard_cluster.durations import format_duration
from tests.benchmarks.bound import lower_bound
from tests.benchmarks.policies import NaiveBackfill, Policy, Production, StrictFifo
from tests.benchmarks.schedule import Measures, Schedule, faults, measure, waits
from tests.benchmarks.workload import SECOND, Workload, cluster, generate, node, packing, recorded

HEADINGS = (
    "scheduler",
    "makespan",
    "of the bound",
    "CPU used",
    "memory used",
    "GPU used",
    "GPU memory used",
    "mean wait",
    "p99 wait",
    "worst wait",
    "of FIFO's",
    "one run later than under FIFO",
    "decisions/s",
)
#: The scheduler beside which the others' waits are told.
FIFO = "strict FIFO"
MAKERS: dict[str, Callable[[Workload], Policy]] = {
    FIFO: lambda workload: StrictFifo(workload.nodes),
    "runyard": lambda workload: Production(workload.nodes, max(1, len(workload.durations))),
    "FIFO, naive backfill": lambda workload: NaiveBackfill(workload.nodes),
}


def simulate(workload: Workload, policy: Policy) -> Schedule:
    """Play a workload to its end."""
    starts: dict[RunId, tuple[int, Placement]] = {}
    ends: list[tuple[int, RunId]] = []
    submissions, following = workload.submissions, 0
    began = time.process_time()
    while ends or following < len(submissions):
        moments = [ends[0][0]] if ends else []
        if following < len(submissions):
            moments.append(submissions[following].at)
        now = min(moments)
        while ends and ends[0][0] == now:
            policy.end(heappop(ends)[1])
        while following < len(submissions) and submissions[following].at == now:
            policy.submit(submissions[following])
            following += 1
        for run_id, placement in policy.decide():
            starts[run_id] = now, placement
            heappush(ends, (now + workload.durations[run_id], run_id))
    return Schedule(starts, time.process_time() - began)


def table(workload: Workload, only: Collection[str] = tuple(MAKERS)) -> Iterator[str]:
    """Play a workload through each scheduler, or `only` some, and yield a table in Markdown line by line.

    What is told beside strict FIFO is left open where that is not played. Raises ValueError for a schedule that
    cannot be.
    """
    yield _row(HEADINGS)
    yield _row(["---", *["---:"] * (len(HEADINGS) - 1)])
    bound, fifo = lower_bound(workload), dict[RunId, int]()
    for name, maker in MAKERS.items():
        if name not in only:
            continue
        schedule = simulate(workload, maker(workload))
        if wrong := faults(workload, schedule):
            raise ValueError(f"{name}: {wrong[0]}, and {len(wrong) - 1} more")
        waited = waits(workload, schedule)
        fifo = waited if name == FIFO else fifo
        yield _row([name, *_cells(measure(workload, schedule, bound), waited, fifo)])


def _cells(measures: Measures, waited: Mapping[RunId, int], fifo: Mapping[RunId, int]) -> Iterator[str]:
    yield format_duration(measures.makespan)
    yield f"{measures.bound_ratio:.3f}"
    yield from (f"{used:.1%}" for used in measures.utilisation)
    yield format_duration(measures.mean_wait)
    yield format_duration(measures.p99_wait)
    yield format_duration(measures.worst_wait)
    if fifo:
        yield f"{measures.worst_wait * SECOND / max(1, *fifo.values()):.2f}"
        yield format_duration(max(wait - fifo[run_id] for run_id, wait in waited.items()) / SECOND)
    else:
        yield from ("", "")
    yield f"{measures.decisions_per_second:,.0f}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _node(text: str) -> NodeSpec:
    parts = [float(part) for part in text.split(",")]
    if len(parts) not in (2, 4):
        raise argparse.ArgumentTypeError("give CPUS,GIB or CPUS,GIB,GPUS,GIB")
    cpus, gib, gpus, gpu_gib = [*parts, 0.0, 0.0][:4]
    return node("node", cpus, gib, int(gpus), gpu_gib)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=20_000)
    options.add_argument("--nodes", type=int, default=20)
    options.add_argument("--node", type=_node, help="one node like this instead of --nodes mixed ones")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--spread", type=float, default=0.5, help="submit over this share of the bound")
    options.add_argument("--packing", action="store_true", help="single short runs, all submitted at once")
    options.add_argument("--database", type=Path, help="play what ran according to this database")
    options.add_argument(
        "--only", choices=MAKERS, action="append", help="play this scheduler; may be repeated"
    )
    chosen = options.parse_args()
    if chosen.node is not None and chosen.database is None:
        options.error("--node goes with --database")
    return chosen


def main() -> None:
    """Make or read a workload, play it, print."""
    chosen = _options()
    if chosen.database is not None:
        nodes = [chosen.node] if chosen.node is not None else cluster(chosen.nodes)
        workload, left_out = recorded(chosen.database, nodes)
    elif chosen.packing:
        workload, left_out = packing(chosen.runs, chosen.nodes, chosen.seed), 0
    else:
        workload, left_out = generate(chosen.runs, chosen.nodes, chosen.seed, spread=chosen.spread), 0
    if left_out:
        print(f"{left_out:,} runs are left out: no node could ever hold them")
    if not workload.durations:
        sys.exit("there is no run to play")
    singles = sum(each.batch is None for each in workload.submissions)
    batches = len(workload.submissions) - singles
    print(
        f"{len(workload.durations):,} runs, {batches:,} batches and {singles:,} singles, on "
        f"{len(workload.nodes):,} nodes; no schedule is done before {format_duration(lower_bound(workload) / SECOND)}; "
        f"the longest run takes {format_duration(max(workload.durations.values()) / SECOND)}"
    )
    print()
    for line in table(workload, chosen.only or tuple(MAKERS)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
