"""What the end of a log says of memory.

The messages are real ones, and each names where it was seen; the frames above them are cut to a few.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from runyard_actors.out_of_memory import LAST_LINES, TAIL_BYTES, Memory, shortage

PYTHON = "Python's MemoryError: the run asked for more memory than there was"

#: Name: (text, what it tells).
MAIN = {
    # CPython 3.11 by itself: python -c 'bytearray(1 << 60)'
    "python": """step 1
Traceback (most recent call last):
  File "<string>", line 1, in <module>
MemoryError
""",
    # The same in the colours that CPython has used since 3.13.
    "python in colour": """Traceback (most recent call last):
  File \x1b[35m"<string>"\x1b[0m, line \x1b[35m1\x1b[0m, in \x1b[35m<module>\x1b[0m
    b = \x1b[31mbytearray\x1b[0m\x1b[1;31m(1 << 60)\x1b[0m
        \x1b[31m~~~~~~~~~\x1b[0m\x1b[1;31m^^^^^^^^^\x1b[0m
\x1b[1;35mMemoryError\x1b[0m
""",
    # github.com/numpy/numpy/issues/17595
    "numpy 1.18": """Traceback (most recent call last):
  File "grid.py", line 4, in <module>
    arr = np.meshgrid ( *[list_no for _ in range ( dimension )] )
MemoryError: Unable to allocate 201. GiB for an array with shape (2999, 2999, 2999) and data type int64
""",
    # github.com/theislab/single-cell-tutorial/issues/85
    "numpy 1.19": """Traceback (most recent call last):
  File "read.py", line 9, in <module>
numpy.core._exceptions.MemoryError: Unable to allocate 926. GiB for an array with shape (6794880, 36601) \
and data type float32
""",
    # github.com/ru1ven/KeypointFusion/issues/3
    "numpy 1.20": """Traceback (most recent call last):
  File "", line 739, in getCrop
    cropped = (np.pad(cropped, ((abs(ystart) - max(ystart, 0),
numpy.core._exceptions._ArrayMemoryError: Unable to allocate 58.0 GiB for an array with shape \
(176351, 176460) and data type uint16
""",
    # github.com/djbielejeski/a-person-mask-generator/issues/87
    "numpy 2": """Traceback (most recent call last):
  File "mask.py", line 87, in <module>
numpy._core._exceptions._ArrayMemoryError: Unable to allocate 32.0 GiB for an array with shape \
(2048, 2048, 2048, 4) and data type uint8
""",
    # CPython 3.11 by itself, with resource.setrlimit(RLIMIT_AS): no memory for the traceback either
    "python, without a traceback": """MemoryError

During handling of the above exception, another exception occurred:

MemoryError
""",
    # CPython 3.11 by itself: bytearray(1 << 60) in an asyncio.TaskGroup
    "a member of an exception group": """  + Exception Group Traceback (most recent call last):
  |   File "<stdin>", line 5, in <module>
  |   File "/usr/lib/python3.11/asyncio/taskgroups.py", line 145, in __aexit__
  |     raise me from None
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "<stdin>", line 2, in work
    | MemoryError
    +------------------------------------
""",
    # Rich 13 by itself: rich.traceback.install(); bytearray(1 << 60)
    "rich": """╭─────────────── Traceback (most recent call last) ────────────────╮
│ /srv/train.py:3 in <module>                                      │
│                                                                  │
│ ❱ 3 bytearray(1 << 60)                                           │
╰──────────────────────────────────────────────────────────────────╯
MemoryError
""",
    # CPython 3.11 by itself: the second while handling the first
    "a later exception that is MemoryError": """Traceback (most recent call last):
  File "<string>", line 3, in <module>
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<string>", line 5, in <module>
MemoryError
""",
    # CPython 3.11 by itself: a __del__ that raises while the interpreter ends
    "an ignored exception afterwards": """Traceback (most recent call last):
  File "<string>", line 5, in <module>
MemoryError
Exception ignored in: <function A.__del__ at 0x7f0f8ae0c9a0>
Traceback (most recent call last):
  File "<string>", line 3, in __del__
ValueError: no
""",
}

GPU = {
    # github.com/chnsh/DCRNN_PyTorch/issues/6
    "pytorch 1": (
        "PyTorch",
        """Traceback (most recent call last):
  File "dcrnn_train_pytorch.py", line 38, in <module>
RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 5.80 GiB total capacity; 4.36 GiB already \
allocated; 6.69 MiB free; 4.63 GiB reserved in total by PyTorch)
""",
    ),
    # github.com/carolchenyx/MGFN./issues/35
    "pytorch 2.0": (
        "PyTorch",
        """Traceback (most recent call last):
  File "main.py", line 60, in <module>
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.70 GiB. GPU 0 has a total capacty of 6.00 GiB \
of which 0 bytes is free. Of the allocated memory 2.93 GiB is allocated by PyTorch, and 2.30 GiB is reserved by \
PyTorch but unallocated. See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF
""",
    ),
    # github.com/hiyouga/LlamaFactory/issues/6827: torchrun adds the rank, and an exception of its own.
    "pytorch 2.5 below torchrun": (
        "PyTorch",
        """[rank0]: Traceback (most recent call last):
[rank0]:   File "/packages/LLaMA-Factory/src/llamafactory/launcher.py", line 23, in <module>
[rank0]:     launch()
[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 132.00 MiB. GPU 3 has a total capacity of \
79.10 GiB of which 98.00 MiB is free.
E0205 01:02:51.806000 907617 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) \
local_rank: 0 (pid: 907695) of binary: /environments/llamafactory_env/bin/python
Traceback (most recent call last):
  File "/environments/llamafactory_env/bin/torchrun", line 8, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
/packages/LLaMA-Factory/src/llamafactory/launcher.py FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2025-02-05_01:02:51
  exitcode  : 1 (pid: 907695)
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
""",
    ),
    # github.com/Comfy-Org/ComfyUI/issues/12366
    "pytorch 2.9": (
        "CUDA",
        """Traceback (most recent call last):
  File "main.py", line 9, in <module>
torch.AcceleratorError: CUDA error: out of memory
Search for `cudaErrorMemoryAllocation' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html \
for more information.
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""",
    ),
    # PyTorch before 1.0, THC/THCGeneral.cpp
    "pytorch 0.4": (
        "CUDA",
        """THCudaCheck FAIL file=/pytorch/aten/src/THC/THCGeneral.cpp line=663 error=2 : out of memory
Traceback (most recent call last):
  File "train.py", line 66, in <module>
RuntimeError: cuda runtime error (2) : out of memory at /pytorch/aten/src/THC/THCGeneral.cpp:663
""",
    ),
    # github.com/cupy/cupy/issues/1912
    "cupy 5": (
        "CuPy",
        """Traceback (most recent call last):
  File "cupy/cuda/memory.pyx", line 518, in cupy.cuda.memory.alloc
cupy.cuda.memory.OutOfMemoryError: out of memory to allocate 1073741824 bytes (total 12373894656 bytes)
""",
    ),
    # github.com/cupy/cupy/issues/2537 has the message
    "cupy 7": (
        "CuPy",
        """Traceback (most recent call last):
  File "cupy/cuda/memory.pyx", line 545, in cupy.cuda.memory.alloc
cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 25,600,000 bytes (allocated so far: 3,635,267,072 bytes).
""",
    ),
    # github.com/cupy/cupy/pull/314
    "cupy 1": (
        "CUDA",
        """Traceback (most recent call last):
  File "cupy/cuda/runtime.pyx", line 130, in cupy.cuda.runtime.check_status
cupy.cuda.runtime.CUDARuntimeError: cudaErrorMemoryAllocation: out of memory
""",
    ),
    # github.com/NVIDIA/cudf/issues/10517
    "rapids": (
        "CUDA",
        """Traceback (most recent call last):
  File "read.py", line 2, in <module>
MemoryError: std::bad_alloc: out_of_memory: CUDA error at: /usr/local/miniconda3/envs/rapids-22.02/include/rmm/mr/\
device/cuda_memory_resource.hpp
""",
    ),
    # github.com/rapidsai/dask-cuda/issues/225
    "numba": (
        "CUDA",
        """Traceback (most recent call last):
  File "/numba/cuda/cudadrv/driver.py", line 329, in _check_error
    raise CudaAPIError(retcode, msg)
numba.cuda.cudadrv.driver.CudaAPIError: [2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY
""",
    ),
    # github.com/jax-ml/jax/issues/13428, with as many buffers as it lists
    "jax": (
        "XLA",
        """Traceback (most recent call last):
  File "/multinerf/train.py", line 99, in <module>
jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 6291456 bytes.
BufferAssignment OOM Debugging.
BufferAssignment stats:
             parameter allocation:    6.00MiB
              constant allocation:         0B
              total fragmentation:         0B (0.00%)
Peak buffers:
"""
        + """\tBuffer 1:
\t\tSize: 6.00MiB
\t\tOperator: op_name="jit(concatenate)/jit(main)/concatenate[dimension=0]"
\t\tXLA Label: concatenate
\t\tShape: f32[4096,128,3]
\t\t==========================

"""
        * 15,
    ),
    # github.com/onpix/LLNeRF/issues/9
    "jax without buffers": (
        "XLA",
        """Traceback (most recent call last):
  File "train.py", line 1, in <module>
jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory allocating 20029400304 bytes.
--------------------
For simplicity, JAX has removed its internal frames from the traceback of the following exception. Set \
JAX_TRACEBACK_FILTERING=off to include these.
""",
    ),
    # github.com/zzw922cn/Automatic_Speech_Recognition/issues/78
    "tensorflow": (
        "TensorFlow",
        """Traceback (most recent call last):
  File "timit_train.py", line 5, in <module>
tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with \
shape[16,1,892800,8,4,2,2] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc
\t [[Node: Tile = Tile[T=DT_FLOAT]]]
Hint: If you want to see a list of allocated tensors when OOM happens, add report_tensor_allocations_upon_oom to \
RunOptions for current allocation info.
""",
    ),
    # PyTorch with expandable segments, c10/cuda/driver_api.h
    "pytorch's driver": (
        "CUDA",
        "Traceback (most recent call last):\n  File 'a.py'\nRuntimeError: CUDA driver error: out of memory\n",
    ),
    # CTranslate2, src/cuda/utils.h
    "ctranslate2": (
        "CUDA",
        "Traceback (most recent call last):\n  File 'a.py'\nRuntimeError: CUDA failed with error out of memory\n",
    ),
    # github.com/philip-huang/PIXOR/issues/31
    "tensorflow's driver": (
        "CUDA",
        "failed to allocate 17.79G (19104890880 bytes) from device: CUDA_ERROR_OUT_OF_MEMORY: out of memory\n",
    ),
    # NVIDIA's cuda-samples, helper_cuda.h, as in Alibaba Cloud's page on cGPU
    "a program in CUDA C++": (
        "CUDA",
        """Try to malloc 1024 MBytes memory on GPU 0
CUDA error at cgpu_cuda_malloc.cu:119 code=2(cudaErrorMemoryAllocation) "cudaMalloc( (void**)&dev_c, malloc_size)"
""",
    ),
    # github.com/AlexeyAB/darknet/issues/6786, below a shell, whose exit code is 134
    "darknet": (
        "CUDA",
        """ CUDA Error: out of memory
CUDA Error: out of memory: No such file or directory
darknet: ./src/utils.c:326: error: Assertion `0' failed.
""",
    ),
}

#: Logs of programs that failed for another reason, with the words in them.
OTHER = {
    "empty": "",
    "no words": "step 1\nstep 2\n",
    "the last exception is another one": """Traceback (most recent call last):
  File "<string>", line 3, in <module>
MemoryError

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<string>", line 5, in <module>
KeyError: 'x'
""",
    "caught, told, and lived with": """WARNING CUDA out of memory. Tried to allocate 2.00 GiB; trying half the batch
Traceback (most recent call last):
  File "train.py", line 5, in <module>
ValueError: the loss is nan
""",
    "named in a message": "Traceback (most recent call last):\n  File 'a', line 1\nValueError: not a MemoryError\n",
    "named in a line of code": """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    raise CUDA_ERROR_OUT_OF_MEMORY
NameError: name 'CUDA' is not defined
""",
    "a usage text": """usage: train.py [-h] [--batch-size N]
  --batch-size N  lower it when CUDA is out of memory, or on a MemoryError
train.py: error: unrecognized arguments: --lr
""",
    "an ignored one only": """Exception ignored in: <function A.__del__ at 0x7f0f8ae0c9a0>
Traceback (most recent call last):
  File "<string>", line 3, in __del__
MemoryError
bye
""",
    "long ago": GPU["pytorch 1"][1] + "epoch\n" * LAST_LINES,
    "long ago, in Python": MAIN["python"] + "epoch\n" * LAST_LINES,
    "a shell's child was killed": "sh: line 1:  4242 Killed                  python train.py\n",
    "another class of that ending": "Traceback (most recent call last):\n  File 'a'\nmine.NoMemoryError: x\n",
    "zeros": "\0" * 1000,
}


@pytest.mark.parametrize("text", MAIN.values(), ids=MAIN)
def test_a_memory_error_that_ends_python_is_out_of_memory(text: str) -> None:
    found = shortage(text.encode())
    assert found and (found.memory, found.detail) == (Memory.MAIN, PYTHON)


@pytest.mark.parametrize(("who", "text"), GPU.values(), ids=GPU)
def test_words_for_too_little_gpu_memory_name_it(who: str, text: str) -> None:
    found = shortage(text.encode())
    assert found is not None
    assert found.memory is Memory.GPU
    assert found.detail == f"{who}: the run asked for more GPU memory than there was"


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_words_that_did_not_end_the_program_tell_nothing(text: str) -> None:
    assert shortage(text.encode()) is None


@pytest.mark.parametrize("text", [*MAIN.values(), *(text for _, text in GPU.values())])
def test_line_ends_of_windows_and_a_long_log_before_change_nothing(text: str) -> None:
    before = b"\xff\xfe output \xc3" * TAIL_BYTES
    assert shortage(before + b"\n" + text.replace("\n", "\r\n").encode()) == shortage(text.encode())


def test_xla_without_a_gpu_means_main_memory() -> None:
    found = shortage(GPU["jax"][1].encode(), has_gpu=False)
    assert found and found.memory is Memory.MAIN
    assert found.detail == "XLA: the run asked for more memory than there was"
    cuda = shortage(GPU["numba"][1].encode(), has_gpu=False)
    assert cuda and cuda.memory is Memory.GPU


def test_what_this_python_prints_is_understood() -> None:
    code = "import sys\ntry:\n    {}['x']\nexcept KeyError:\n    bytearray(sys.maxsize)"
    said = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False)
    assert said.returncode == 1
    found = shortage(said.stderr)
    assert found and found.detail == PYTHON


def test_any_bytes_are_read_in_no_time() -> None:
    hostile = [
        b"Traceback (most recent call last):\n" * 2000,
        b"a." * 40_000,
        b" | " * 30_000,
        b"\x1b[" * 40_000,
    ]
    for tail in hostile:
        assert shortage(tail) is None
