"""Rows 1 to 18: what a run may declare."""

from __future__ import annotations

import math

from tests.bad_input.row import Accepted, Batch, Refused, Row, Submit

MIB = 2**20
TRUE = ["true"]


def asks(name: str, value: object, *options: str) -> Submit:
    """Return a run that declares one thing."""
    return Submit(fields={"command": TRUE, name: value}, options=options or None)


NOT_JSON = {"python": ["num_cpus", "JSON"], "command_line": ["JSON"]}

ROWS = [
    Row(1, "NaN CPUs", asks("num_cpus", math.nan), Refused(rest=["NaN"], **NOT_JSON)),
    Row(
        1, "nan CPUs in words", asks("num_cpus", "nan", "--num-cpus", "nan"), Refused(command_line=["0.001"])
    ),
    Row(2, "infinitely many CPUs", asks("num_cpus", math.inf), Refused(rest=["Infinity"], **NOT_JSON)),
    Row(2, "less than nothing", asks("num_cpus", -math.inf), Refused(rest=["-Infinity"], **NOT_JSON)),
    Row(
        3,
        "1e999 CPUs",
        Submit(
            fields={"command": TRUE, "num_cpus": math.inf},
            json='{"command": ["true"], "num_cpus": 1e999}',
            options=["--num-cpus", "1e999"],
        ),
        Refused(rest=["1e999", "out of range"], python=["num_cpus"], command_line=["100000"]),
    ),
    Row(4, "-1 CPU", asks("num_cpus", -1, "--num-cpus", "-1"), Refused(words=["0.001"])),
    Row(4, "-1 GPU", asks("num_gpus", -1, "--num-gpus", "-1"), Refused(words=["0.001"])),
    Row(4, "-1 byte", asks("memory", -1, "--memory", "-1"), Refused(words=["size"])),
    Row(5, "-0.0 CPUs", asks("num_cpus", -0.0, "--num-cpus", "-0.0"), Accepted(shown={"num_cpus": 0.0})),
    Row(6, "true CPUs", asks("num_cpus", True), Refused(words=["must be a number"])),
    Row(6, "false CPUs", asks("num_cpus", False), Refused(words=["must be a number"])),
    Row(6, "false memory", asks("memory", False), Refused(words=["not a size"])),
    Row(7, "CPUs as a text", asks("num_cpus", "1"), Refused(words=["must be a number"])),
    Row(7, "GPUs as a text", asks("num_gpus", "1"), Refused(words=["must be a number"])),
    Row(8, "nan as a text", asks("num_gpus", "nan", "--num-gpus", "nan"), Refused()),
    Row(9, "1e-9 CPUs", asks("num_cpus", 1e-9, "--num-cpus", "1e-9"), Refused(words=["0.001"])),
    Row(9, "1e-9 GPUs", asks("num_gpus", 1e-9, "--num-gpus", "1e-9"), Refused(words=["0.001"])),
    Row(9, "0.0009 CPUs", asks("num_cpus", 0.0009, "--num-cpus", "0.0009"), Refused(words=["0.001"])),
    Row(
        9,
        "0.001 CPUs",
        asks("num_cpus", 0.001, "--num-cpus", "0.001"),
        Accepted(shown={"num_cpus": 0.001}),
    ),
    Row(10, "10^40 bytes", asks("memory", 10**40, "--memory", "1" + "0" * 40), Refused(words=["size"])),
    Row(10, "10^40 CPUs", asks("num_cpus", 10**40, "--num-cpus", "1e40"), Refused(words=["100000"])),
    Row(12, "1.5 bytes", asks("memory", 1.5, "--memory", "1.5"), Refused(words=["allowed: whole bytes"])),
    Row(
        13,
        "64 MB",
        asks("memory", "64MB", "--memory", "64MB"),
        Accepted(shown={"memory": 64_000_000}),
    ),
    Row(
        13,
        "64 MiB",
        asks("memory", "64MiB", "--memory", "64MiB"),
        Accepted(shown={"memory": 64 * MIB}),
    ),
    Row(
        13,
        "64 gigs",
        asks("memory", "64 gigs", "--memory", "64 gigs"),
        Refused(words=["'64 gigs' is not a size"]),
    ),
    Row(
        14,
        "more CPUs than there are",
        asks("num_cpus", 64, "--num-cpus", "64"),
        Refused(words=["64", "8"], error="ResourceLimitError"),
    ),
    Row(
        14,
        "more memory than there is",
        asks("memory", "1TiB", "--memory", "1TiB"),
        Refused(words=["1 TiB", "16 GiB"], error="ResourceLimitError"),
    ),
    Row(
        14,
        "more GPUs than there are",
        asks("num_gpus", 3, "--num-gpus", "3"),
        Refused(words=["3", "2"], error="ResourceLimitError"),
    ),
    Row(
        14,
        "more GPU memory than one GPU has",
        asks("gpu_memory", "9GiB", "--gpu-memory", "9GiB"),
        Refused(words=["9 GiB", "8 GiB"], error="ResourceLimitError"),
    ),
    Row(
        15,
        "three times a third of a GPU",
        Batch(runs=[{"command": TRUE, "num_gpus": 0.3333}] * 3),
        Accepted(shown={"num_gpus": 0.333}),
    ),
    Row(16, "1.5 GPUs", asks("num_gpus", 1.5, "--num-gpus", "1.5"), Refused(words=["a fraction up to 1"])),
    Row(17, "GPU 99", asks("gpu_index", 99), Refused(words=["gpu_index"])),
    Row(18, "num_cpu", asks("num_cpu", 1), Refused(words=["did you mean", "num_cpus"])),
    Row(
        18,
        "an unknown field of a batch",
        Batch(runs=[{"command": TRUE}], more={"max_concurent": 1}),
        Refused(words=["max_concurent"]),
    ),
]
