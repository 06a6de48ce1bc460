"""Modules for the page to show: they work, report, fail and hang as real ones do, and cost next to no CPU."""

from __future__ import annotations

from typing import Any

from tests.support import python

_REPORT = """
import json, os, sys, time
def report(**values):
    with open(os.environ["RUNYARD_REPORT"], "a") as file:
        file.write(json.dumps(values) + "\\n")
"""

#: Trains for a minute: reports each epoch, holds more and more memory, prints as trainers print.
TRAIN = (
    _REPORT
    + """
rate, epochs, begin = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
weights = bytearray(int(sys.argv[4]) * 2**20)
print(f"loading atlas: 23 files, learning rate {rate}", flush=True)
for epoch in range(begin, epochs + 1):
    loss = 2.1 / (1 + epoch * rate * 3)
    print(f"epoch {epoch:3d}/{epochs}  loss {loss:.4f}  \\x1b[32maccuracy {1 - loss / 2.2:.3f}\\x1b[0m", flush=True)
    report(progress=epoch / epochs, message=f"epoch {epoch} of {epochs}, loss {loss:.3f}")
    end = time.monotonic() + 0.03
    while time.monotonic() < end: pass
    weights += bytearray(2**20 * (epoch % 3))
    time.sleep(float(sys.argv[5]))
report(progress=1.0, message="done", result={"loss": round(loss, 4)})
"""
)

#: Fails at its last step, with a traceback.
BROKEN = (
    _REPORT
    + """
def load(path):
    raise FileNotFoundError(f"no such table: {path}")
print("reading the tables", flush=True)
report(progress=0.3, message="reading the tables")
load("census.parquet")
"""
)

WAIT = "import time; print('waiting for the night', flush=True); time.sleep(600)"


def train(
    rate: float = 0.1, epochs: int = 20, begin: int = 1, mebibytes: int = 20, pause: float = 0.0
) -> list[str]:
    """Return the command of a training."""
    return python(TRAIN, str(rate), str(epochs), str(begin), str(mebibytes), str(pause))


def request(**more: Any) -> dict[str, Any]:
    """Return what a small run requests."""
    return {"num_cpus": 0.5, "memory": "512MiB", **more}
