"""The resources a run declares, as exact integers."""

from __future__ import annotations

from dataclasses import dataclass

#: One whole CPU or GPU in the thousandths that requests count in.
WHOLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one run declares. Zero means: not asked for.

    Under one whole GPU, `gpu_milli` and `gpu_memory_bytes` come from ONE GPU; from one whole GPU on,
    `gpu_milli` is a multiple of 1000 and `gpu_memory_bytes` is asked of each of them. `node` is the only node that may
    hold it, or a selector of those that may; any may if it is empty.
    """

    cpu_milli: int = 0
    gpu_milli: int = 0
    memory_bytes: int = 0
    gpu_memory_bytes: int = 0
    node: str = ""

    @property
    def whole_gpus(self) -> int:
        """The number of whole GPUs, zero for a fraction."""
        return self.gpu_milli // WHOLE

    @property
    def needs_gpu(self) -> bool:
        """Whether any GPU share or GPU memory is asked for."""
        return self.gpu_milli > 0 or self.gpu_memory_bytes > 0
