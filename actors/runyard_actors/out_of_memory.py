"""Out of memory, as programs say it themselves: what the end of a failed attempt's log tells.

A program that is refused memory is not killed: it says so, in the words of its language or library, and exits with a
code of its own. So this is asked only of an attempt that exited with a code other than 0, and of the last lines of
its log, where the last exception has the last word: an error that was caught and lived with decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: What is read of a log at most, from its end.
TAIL_BYTES = 64 * 1024

#: Only so many lines can hold the error that ended a program. Indented and empty ones are not counted: they go on
#: with a message, as JAX's list of its buffers does for a hundred lines.
LAST_LINES = 20


class Memory(Enum):
    """Which memory there was too little of."""

    MAIN = "memory"
    GPU = "gpu_memory"


@dataclass(frozen=True, slots=True)
class Shortage:
    """Which memory a program said it had too little of, and a sentence for people."""

    memory: Memory
    detail: str


#: XLA uses the same words whether it computes on a GPU or not.
_XLA = "XLA"

#: Who says it, and how. Each of these stands in an error message only, never in a usage text or a warning's advice.
_GPU_WORDS: Sequence[tuple[str, re.Pattern[str]]] = [
    (name, re.compile(pattern))
    for name, pattern in (
        # PyTorch, c10/cuda/CUDACachingAllocator.cpp: "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; ...";
        # "HIP" for AMD and "XPU" for Intel, which are memory of a GPU all the same.
        ("PyTorch", r"\b(?:CUDA|HIP|XPU) out of memory\. Tried to allocate"),
        # PyTorch's own class, whatever its message; without "cuda" since 2.5.
        ("PyTorch", r"^torch\.(?:cuda\.)?OutOfMemoryError\b"),
        # cupy/cuda/memory.pyx; a MemoryError in Python, but of the GPU.
        ("CuPy", r"^cupy\.cuda\.memory\.OutOfMemoryError\b"),
        # RAPIDS' memory manager: "MemoryError: std::bad_alloc: out_of_memory: CUDA error at: ...".
        ("CUDA", r"\bstd::bad_alloc: (?:out_of_memory: )?CUDA error"),
        # XLA's status, which JAX raises: "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4770354232 bytes."
        # or "... Out of memory allocating ..."; "Resource exhausted" up to 2021.
        (_XLA, r"\b(?:RESOURCE_EXHAUSTED|Resource exhausted): Out of memory\b"),
        # TensorFlow, core/framework/op_kernel.cc: "OOM when allocating tensor with shape[...] and type float on
        # /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc".
        ("TensorFlow", r"\bOOM when allocating tensor\b.*\bdevice:GPU:"),
        # The names of the codes in CUDA's runtime (2) and driver (2), and cudaGetErrorString of both, as printed
        # by checkCudaErrors of NVIDIA's samples, by Numba, TensorFlow, PyTorch, llama.cpp, darknet and many others;
        # "CUDA driver error" is PyTorch with expandable segments, "CUDA failed with error" CTranslate2.
        ("CUDA", r"\bcudaErrorMemoryAllocation\b"),
        ("CUDA", r"\bCUDA_ERROR_OUT_OF_MEMORY\b"),
        (
            "CUDA",
            r"(?i)\bCUDA (?:(?:runtime |driver )?error ?(?:\(2\))? ?:|failed with error) ?out of memory\b",
        ),
    )
]

#: Python's class and those made of it by NumPy, numpy/_core/_exceptions.py.
_MEMORY_ERRORS = ("MemoryError", "_ArrayMemoryError")

#: These say only that another process failed; what it said stands above.
_RELAYED = ("ChildFailedError", "CalledProcessError")

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: What stands before each line: of a rank of torchrun, of a member of an exception group.
_BEFORE = re.compile(r"^(?:\[rank\d+\]:\s?| *\| (?=\S| {2}))")
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
#: Python tells of these errors and goes on.
_IGNORED = re.compile(r"^(?:Exception ignored |Error in atexit\.)")
#: Lines within a traceback, also as Rich draws it.
_WITHIN = re.compile(r"^(?:\s|[│╭╰|]|$)")
_EXCEPTION = re.compile(r"^(?:[^\W\d]\w*\.)*([^\W\d]\w*)(?::|$)")


def shortage(tail: bytes, *, has_gpu: bool = True) -> Shortage | None:
    """Return which memory a failed program said it had too little of, by the end of its log; None if it did not.

    `has_gpu`: whether it was given any GPU.
    """
    lines = [_BEFORE.sub("", _COLOUR.sub("", line.rstrip())) for line in _texts(tail)]
    begin_of_last = _begin_of_last(lines)
    begin, error = _last_exception(lines)
    if who := _who_speaks_of_a_gpu(lines[max(begin, begin_of_last) :]):
        return _shortage(who, Memory.GPU if has_gpu or who != _XLA else Memory.MAIN)
    is_its_end = error in _MEMORY_ERRORS and begin >= begin_of_last
    # Where there is no memory for a traceback either, Python leaves it out.
    if is_its_end or next((line for line in reversed(lines) if line), None) == "MemoryError":
        return _shortage("Python's MemoryError", Memory.MAIN)
    return None


def _shortage(who: str, memory: Memory) -> Shortage:
    asked = "GPU memory" if memory is Memory.GPU else "memory"
    return Shortage(memory, f"{who}: the run asked for more {asked} than there was")


def _who_speaks_of_a_gpu(lines: Sequence[str]) -> str | None:
    return next((who for line in lines for who, words in _GPU_WORDS if words.search(line)), None)


def _texts(tail: bytes) -> list[str]:
    return tail[-TAIL_BYTES:].decode("utf-8", "replace").split("\n")


def _begin_of_last(lines: Sequence[str]) -> int:
    """Return where the last lines begin."""
    left = LAST_LINES
    for index in range(len(lines) - 1, -1, -1):
        left -= not lines[index][:1].isspace() and lines[index] != ""
        if not left:
            return index
    return 0


def _last_exception(lines: Sequence[str]) -> tuple[int, str | None]:
    """Return the line of the last exception that Python did not go on after, and its class without its module.

    Without a traceback that is the log's beginning, and None.
    """
    for index in range(len(lines) - 1, -1, -1):
        if not _TRACEBACK.search(lines[index]) or (index and _IGNORED.match(lines[index - 1])):
            continue
        end = next((i for i in range(index + 1, len(lines)) if not _WITHIN.match(lines[i])), None)
        found = None if end is None else _EXCEPTION.match(lines[end])
        if end is None or found is None or found[1] in _RELAYED:
            continue
        return end, found[1]
    return 0, None
