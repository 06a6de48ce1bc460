"""Our public names as a type checker sees them in somebody's program; mypy reads this file, pytest runs none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

if TYPE_CHECKING:
    from runyard import Batch, Module, Run, RunResult, submit, submit_batch
    from runyard_cluster.errors import RunError

    assert_type(submit(Module("m", script="m.py")), Run)
    batch = submit_batch([Module("m", script="m.py"), {"command": ["true"]}, ("m", "m.py", ["--x"])])
    assert_type(batch, Batch)
    assert_type(batch.results(), list[RunResult])
    assert_type(batch.results(return_exceptions=True), list[RunResult | RunError])
    assert_type(batch.runs[0].result(timeout=1.0), RunResult)


def test_the_package_says_that_it_is_typed() -> None:
    from importlib.resources import files

    assert files("runyard").joinpath("py.typed").is_file()
