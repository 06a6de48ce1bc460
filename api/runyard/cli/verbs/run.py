"""`runyard run`: one run, followed until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.exit_code import GOOD, INTERRUPTED, OWN_FAILURE, code_of_run
from runyard.cli.follow import Follower, write_out
from runyard.cli.interrupt import terminate_as_interrupt
from runyard.cli.params import CPUS, DURATION, FACTOR, GPU_MEMORY, MEMORY, PATIENCE, SHARE, pairs
from runyard.cli.say import complain, put, put_json, say
from runyard.cli.term_options import term_options, terms_given
from runyard.cli.verb import Options, Verb, verb
from runyard.cli.view.words import cause
from runyard.cli.why_queued import telling_why_queued
from runyard.submitting import REASON, Submitting
from runyard_cluster.errors import ConflictError, RunyardError

if TYPE_CHECKING:
    from runyard.client import Client


class RunVerb(Verb):
    """Options end where the command begins; a module's own options need no `--`."""

    allow_interspersed_args = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; after `--module ID`, the first option that is not ours begins the module's arguments."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            at = _place_of(error.option_name, given)
            if not any(a == "--module" or a.startswith("--module=") for a in given[:at]):
                raise
            return super().parse_args(ctx, [*given[:at], "--", *given[at:]])


@verb(
    kind=RunVerb,
    help="Run one command or module. Its output comes out here as it is, and its exit code is returned.",
    examples="""runyard run -- python train.py --lr 0.1
runyard run --memory 4GiB --timeout 30m -- make -j2
runyard run --module thumbnails --detach photos/""",
)
@click.option("--num-cpus", type=CPUS, metavar="N", help='CPUs, fractions allowed, or "auto".')
@click.option("--num-gpus", type=SHARE, metavar="N", help="GPUs: a fraction of one, or whole ones.")
@click.option(
    "--memory",
    type=MEMORY,
    metavar="SIZE",
    help='Memory of the whole process tree, as "4GiB", or "learn" from past runs of its module.',
)
@click.option("--gpu-memory", type=GPU_MEMORY, metavar="SIZE", help='GPU memory, as "8GiB", or "learn".')
@click.option("--timeout", type=DURATION, metavar="TIME", help='Stopped after that time, as "30m".')
@click.option(
    "--stall-after",
    type=PATIENCE,
    metavar="TIME",
    help='Told as stalled after that time without output, CPU and GPU use, as "10m".',
)
@click.option("--on-stall", type=click.Choice(["tell", "stop"]), help="What is done when it is stalled.")
@click.option("--priority", type=int, metavar="N", help="Higher starts first; 0 is usual.")
@click.option(
    "--max-retries", type=click.IntRange(0, 1000), metavar="N", help="Started again that often when it fails."
)
@click.option(
    "--retry-on-out-of-memory",
    type=FACTOR,
    metavar="FACTOR",
    help="Had it too little memory, it is started again with that many times as much, as 1.5.",
)
@click.option(
    "--code",
    type=click.Choice(["shared", "ship"]),
    help="ship: it runs in a copy of its folder as that is now; shared: as that is when it starts.",
)
@click.option(
    "--node",
    metavar="NODE",
    help="The only node that it may start on, by name, or a selector of those it may: zone=a,gpu=*H100*.",
)
@term_options
@click.option("--label", "labels", multiple=True, metavar="K=V", help="A label to find it by; may repeat.")
@click.option(
    "--env", multiple=True, metavar="K=V", help="A variable for it; K alone passes yours on; may repeat."
)
@click.option(
    "--cwd",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="The folder it runs in; this one if left out.",
)
@click.option("--name", metavar="NAME", help="What people see.")
@click.option("--module", metavar="ID", help="A module to run, with the arguments that follow.")
@click.option("--detach", is_flag=True, help="Print the run's id and return at once.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def command(options: Options, **given: Any) -> int:
    """Build the request, submit it, follow it."""
    body = request(given) | terms_given(given, options.source)
    with (
        options.starting_client() as client,
        terminate_as_interrupt(),
        Submitting(
            lambda key: client.submit(body, key), lambda accepted: client.cancel(accepted["run_id"], REASON)
        ) as submitting,
    ):
        run = submitting.submit()
        if given["detach"]:
            put_json(run) if options.is_json else put(run["run_id"])
            submitting.hand_over()
            return GOOD
        return _see_through(client, run, options, submitting)


def request(given: dict[str, Any]) -> dict[str, Any]:
    """Return the body of the submit for what was given on the command line."""
    words: Sequence[str] = given["command"]
    module = given["module"]
    if not words and module is None:
        raise click.UsageError("name a command after --, or a module by --module ID")
    folder = given["cwd"] if given["cwd"] is not None or module else "."
    body = {
        **{k: given[k] for k in ("num_cpus", "num_gpus", "memory", "gpu_memory", "timeout", "priority")},
        **{
            k: given[k]
            for k in (
                "stall_after",
                "on_stall",
                "max_retries",
                "retry_on_out_of_memory",
                "name",
                "module",
                "node",
                "code",
            )
        },
        "cwd": None if folder is None else str(Path(folder).absolute()),
        "env": pairs(given["env"], "--env", from_environment=True),
        "labels": pairs(given["labels"], "--label"),
        "command" if module is None else "args": list(words),
    }
    return {k: v for k, v in body.items() if v not in (None, {}, [])}


def _see_through(client: Client, run: dict[str, Any], options: Options, submitting: Submitting) -> int:
    """Attend the run, and say which one it is when that comes to nothing."""
    try:
        with nullcontext() if options.is_json else telling_why_queued(client, run["run_id"]):
            return _attend(client, run, options, submitting)
    except RunyardError as error:
        complain(f"{error} (run {run['run_id']})")
        return OWN_FAILURE


def _attend(client: Client, run: dict[str, Any], options: Options, submitting: Submitting) -> int:
    """Follow the run. The first Ctrl-C cancels it, the second leaves it alone."""
    follower = Follower(client, run["run_id"], run["attempt"])
    was_interrupted = False
    while True:
        try:
            submitting.hand_over()
            ended = _followed(follower, is_silent=options.is_json)
            break
        except KeyboardInterrupt:
            if was_interrupted:
                say(f"runyard: left alone; 'runyard logs -f {run['run_id']}' follows it")
                return INTERRUPTED
            was_interrupted = True
            _cancel(client, run["run_id"])
        except BrokenPipeError:
            # As in any pipe: a program whose reader is gone has nothing left to do.
            _cancel(client, run["run_id"])
            raise
    if options.is_json:
        put_json(ended)
    elif ended["reason"] not in (None, "exit_code") and not was_interrupted:
        complain(f"run {ended['run_id']} {ended['status']}: {cause(ended)}")
    return INTERRUPTED if was_interrupted else code_of_run(ended)


def _followed(follower: Follower, *, is_silent: bool) -> dict[str, Any]:
    for block in follower.blocks():
        if not is_silent:
            write_out(block)
    assert follower.ended_run is not None
    return follower.ended_run


def _cancel(client: Client, run_id: str) -> None:
    say(f"runyard: cancelling run {run_id}; Ctrl-C again leaves it alone")
    try:
        client.cancel(run_id, REASON)
    except ConflictError:
        pass  # It ended by itself in the meantime.


def _place_of(option: str, given: Sequence[str]) -> int:
    """Return where an unknown option stands; a bundle of short ones is reported by its letter."""
    for index, each in enumerate(given):
        if each.partition("=")[0] == option or (
            len(option) == 2 and each[:1] == "-" and option[1] in each[1:]
        ):
            return index
    return 0
