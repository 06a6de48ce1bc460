"""GPUs that tests make up and change while a server watches them: a folder that `tests/fake_nvml/pynvml.py` shows."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runyard_actors.node_meter import NodeMeter
from runyard_cluster.capacity import Capacity
from runyard_cluster.cgroup import Cgroup
from runyard_cluster.gpu import Gpu, GpuReader
from runyard_cluster.gpu_processes import GpuMeter

GIB = 2**30
MODULE_FOLDER = Path(__file__).parent / "fake_nvml"

#: A module that holds as much GPU memory as a test says at any time, and ends when a test lets it go.
HOLDER = """
import os, time
folder, me = os.environ["FAKE_NVML"], os.environ["RUNYARD_RUN_ID"]
want, mine = f"{folder}/wanted/{me}", f"{folder}/processes/{os.getpid()}"
while not os.path.exists(want):
    time.sleep(0.02)
while text := open(want).read():
    with open(mine + ".new", "w") as out:
        out.write(text)
    os.replace(mine + ".new", mine)
    time.sleep(0.02)
print("ended by itself")
"""


class FakeGpus:
    """The GPUs of one folder."""

    def __init__(
        self, folder: Path, memory_gib: Sequence[int], name: str = "NVIDIA GeForce RTX 5090"
    ) -> None:
        self.folder = folder
        for part in ("processes", "wanted"):
            (folder / part).mkdir(parents=True)
        self._gpus = [{"name": name, "memory": gib * GIB} for gib in memory_gib]
        self._write(self._gpus)

    @property
    def capacity(self) -> tuple[Gpu, ...]:
        """The GPUs as a node offers them."""
        return tuple(
            Gpu(
                index=i,
                uuid=f"GPU-{i:08x}-fake",
                name=g["name"],
                memory_bytes=g["memory"],
                free_bytes=g["memory"],
            )
            for i, g in enumerate(self._gpus)
        )

    def change(self, gpu: int, **how: Any) -> None:
        """Have a GPU answer with an `error`, or be blind (`is_blind`)."""
        self._gpus[gpu] |= how
        self._write(self._gpus)

    def break_nvml(self, number: int) -> None:
        """Have NVML itself answer with an error from now on, to who starts it."""
        self._write({"init_error": number})

    def hold(self, run_id: str, gib: float, *, gpu: int = 0, percent: int = 0) -> None:
        """Have a HOLDER hold that much from now on."""
        self._say(run_id, f"{gpu} {int(gib * GIB)} {percent}")

    def let_go(self, run_id: str) -> None:
        """Have a HOLDER end."""
        self._say(run_id, "")

    def meter(self, cgroup: Cgroup = Cgroup()) -> NodeMeter:  # noqa: B008 - frozen
        """Return what looks at a node with these GPUs, as a manager in this process needs it."""
        return NodeMeter(has_gpus=True, cgroup=cgroup, gpus=self.gpu_meter())

    def gpu_meter(self) -> GpuMeter:
        """Return what looks at these GPUs."""
        spec = importlib.util.spec_from_file_location("fake_pynvml", MODULE_FOLDER / "pynvml.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return GpuMeter(GpuReader(lambda: module))

    def _say(self, run_id: str, text: str) -> None:
        path = self.folder / "wanted" / run_id
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    def _write(self, what: Any) -> None:
        path = self.folder / "gpus.json"
        path.with_suffix(".new").write_text(json.dumps(what))
        path.with_suffix(".new").replace(path)


def node(gpus: FakeGpus) -> Capacity:
    """Return a machine with these GPUs: 8 CPUs and 16 GiB."""
    return Capacity(node="here", cpu_milli=8_000, memory_bytes=16 * GIB, gpus=gpus.capacity)


def holder(**more: Any) -> Mapping[str, Any]:
    """Return the body of a submit of a HOLDER; small, so that many fit anywhere."""
    command = [sys.executable, "-I", "-S", "-c", HOLDER]
    return {"command": command, "num_cpus": 0.1, "memory": "64MiB", **more}


@contextmanager
def fake_gpus(folder: Path, memory_gib: Sequence[int]) -> Iterator[FakeGpus]:
    """Lend GPUs that processes started within the block see as this machine's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_NVML", str(folder))
        yield FakeGpus(folder, memory_gib)
