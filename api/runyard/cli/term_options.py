"""Options of `runyard run` that say when a run may start, and when it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.params import DURATION, FACTOR, MOMENT_TO_COME, PATIENCE

if TYPE_CHECKING:
    from runyard.cli.source import Source

_OPTIONS = (
    click.option("--after", multiple=True, metavar="RUN", help="Starts when RUN completed; may repeat."),
    click.option(
        "--after-any", multiple=True, metavar="RUN", help="Starts when RUN ended, whatever way; may repeat."
    ),
    click.option(
        "--after-failed",
        multiple=True,
        metavar="RUN",
        help="Starts only if RUN does not complete; may repeat.",
    ),
    click.option(
        "--delay-until",
        type=MOMENT_TO_COME,
        metavar="MOMENT",
        help='Does not start before, as "+10m" or "2026-01-31T08:00:00Z".',
    ),
    click.option("--hold", is_flag=True, help="Does not start until 'runyard release'."),
    click.option(
        "--queue-timeout",
        type=DURATION,
        metavar="TIME",
        help="Fails if it has not started that long after it was submitted.",
    ),
    click.option("--retry-delay", type=PATIENCE, metavar="TIME", help="The pause before a retry."),
    click.option(
        "--retry-backoff",
        type=FACTOR,
        metavar="FACTOR",
        help="Each further pause is that many times as long.",
    ),
    click.option(
        "--retry-delay-max", type=DURATION, metavar="TIME", help="The longest pause; an hour if left out."
    ),
    click.option(
        "--retry-exit-code",
        "retry_exit_codes",
        type=click.IntRange(1, 2**32 - 1),
        multiple=True,
        metavar="N",
        help="Only an exit with N is retried; may repeat.",
    ),
)
_NAMING = ("after", "after_any", "after_failed")
_PLAIN = ("delay_until", "queue_timeout", "retry_delay", "retry_backoff", "retry_delay_max")


def term_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def terms_given(given: dict[str, Any], source: Callable[[], Source]) -> dict[str, Any]:
    """Return what was given of them as REST takes it. Raises NotFoundError for a run that is not there."""
    found: dict[str, Any] = {name: given[name] for name in _PLAIN if given[name] is not None}
    for name in _NAMING:
        if given[name]:
            found[name] = [source().resolve(each) for each in given[name]]
    if given["hold"]:
        found["hold"] = True
    if given["retry_exit_codes"]:
        found["retry_exit_codes"] = list(given["retry_exit_codes"])
    return found
