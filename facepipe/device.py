"""What this machine computes with: cores, memory, and whether bfloat16 is worth using.

Torch is imported by the functions that need it, so that `facepipe doctor` can run, and say so, where it is missing.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes; zero where the platform does not tell."""

    total_bytes: int
    available_bytes: int


def core_count() -> int:
    """Return how many cores this process may use: its affinity, and a container's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def memory() -> Memory:
    """Return the memory that this process may use: the machine's, or less where a container limits it."""
    fields = dict(line.split(":", 1) for line in _read(MEMORY_INFO).splitlines() if ":" in line)
    total, available = (int(fields.get(name, "0").split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit, used = (_read(CGROUP / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and 0 < int(limit) < total:
        total = int(limit)
        available = min(available, total - int(used or 0))
    return Memory(total, max(available, 0))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Return the processor's instruction sets as Linux names them ("avx2", "amx_bf16", …); empty elsewhere."""
    for line in _read(CPU_INFO).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


@functools.cache
def bfloat16_is_fast() -> bool:
    """Whether bfloat16 matrix products beat float32 here: AMX in the processor, and a torch that uses it.

    Only with AMX was a gain measured, so nothing else counts.
    """
    if "amx_bf16" not in cpu_flags():
        return False
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call, unused-ignore]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def compute_device() -> "torch.device":
    """Return where large networks run: the first GPU that CUDA knows, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(precision: Precision = "auto", device: "torch.device | None" = None) -> "torch.dtype":
    """Return the dtype that networks run in, on the CPU where no device is given: the one asked for, or the fastest."""
    import torch

    if precision == "auto":
        on_gpu = device is not None and device.type == "cuda"
        precision = "bf16" if on_gpu or bfloat16_is_fast() else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def let_threads_sleep() -> None:
    """Say, before NumPy and torch are loaded, that threads sleep while they wait; the environment's own wishes stand.

    Threads that spin until another is done make everything ten times slower as soon as that one has no core. OpenBLAS
    cannot be told to sleep; our matrices are small, so it computes on one thread.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def thread_count() -> int:
    """Return how many threads are worth having: one a core.

    Where OMP_NUM_THREADS is set, it stands for the number of cores: processes that share a machine say so with it.
    """
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return int(wished) if wished.isdigit() and int(wished) else core_count()


def set_threads(count: int = 0) -> int:
    """Let torch, OpenCV and numba use `count` threads each, or as many as there are cores; return the number.

    Raises ValueError for a negative count.
    """
    import cv2
    import numba
    import torch

    if count < 0:
        raise ValueError(f"got {count} threads, expected 0 (one a core) or more")
    count = count or thread_count()
    cv2.setNumThreads(count)
    # numba refuses more threads than it was started with.
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined, unused-ignore]
    # Last, because numba, as it starts its threads, sets the number for all of OpenMP.
    torch.set_num_threads(count)
    return count


def _read(path: Path) -> str:
    """The text of a file of the kernel's, or nothing where there is none."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
