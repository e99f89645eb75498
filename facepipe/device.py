"""The resources of this machine: cores, memory, compute device, and the fastest dtype.

Torch is imported only inside functions, so that `facepipe doctor` can run and report if it is missing.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future, ThreadPoolExecutor

    import torch

CPU_INFO = Path("/proc/cpuinfo")
MEMORY_INFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

Precision = Literal["auto", "bf16", "fp32"]
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes; zero if the platform does not report it."""

    total_bytes: int
    available_bytes: int


def core_count() -> int:
    """Return the number of cores that this process may use, by its affinity and its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def memory() -> Memory:
    """Return the memory that this process may use: the machine's, or that of its container if limited."""
    fields = dict(line.split(":", 1) for line in _read(MEMORY_INFO).splitlines() if ":" in line)
    total, available = (int(fields.get(name, "0").split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit, used = (_read(CGROUP / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and 0 < int(limit) < total:
        total = int(limit)
        available = min(available, total - int(used or 0))
    return Memory(total, max(available, 0))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Return the processor's instruction sets by Linux's names ("avx2", "amx_bf16", …); empty on other systems."""
    for line in _read(CPU_INFO).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


@functools.cache
def bfloat16_is_fast() -> bool:
    """Return True if bfloat16 matrix products are faster than float32: AMX in the processor, and a torch that uses it.

    A gain was measured only with AMX.
    """
    if "amx_bf16" not in cpu_flags():
        return False
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call, unused-ignore]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def compute_device() -> "torch.device":
    """Return the device for large networks: the first CUDA GPU, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(precision: Precision = "auto", device: "torch.device | None" = None) -> "torch.dtype":
    """Return the dtype for networks on a device (default: the CPU): the requested one, or for "auto" the fastest."""
    import torch

    if precision == "auto":
        on_gpu = device is not None and device.type == "cuda"
        precision = "bf16" if on_gpu or bfloat16_is_fast() else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def device_text(*, network: bool) -> str:
    """Return the device and dtype of large networks, such as "CPU AVX2, float32"; without a `network`, of the CPU."""
    import torch

    device = compute_device() if network else torch.device("cpu")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {_dtype_text(compute_dtype(device=device))}"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"CPU {capability}, {_dtype_text(compute_dtype()) if network else 'float32'}"


def _dtype_text(dtype: "torch.dtype") -> str:
    return str(dtype).removeprefix("torch.")


def let_threads_sleep() -> None:
    """Make idle threads sleep instead of spin. Call it before NumPy and torch are imported.

    Threads that spin while they wait for another slow everything down tenfold when that one has no core. OpenBLAS has
    no such option; the matrices are small, so it uses one thread. Environment variables that are set take precedence.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def thread_count() -> int:
    """Return the number of threads to use: OMP_NUM_THREADS if set, else one per core.

    Processes that share a machine divide its cores among them by OMP_NUM_THREADS.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdigit() and int(threads) else core_count()


def lone_threads(count: int, name: str) -> "ThreadPoolExecutor":
    """Return `count` threads on each of which torch computes alone, so that their number changes no result.

    A layer that threads share is rounded by how many they are.
    """
    from concurrent.futures import ThreadPoolExecutor

    import torch

    return ThreadPoolExecutor(count, name, initializer=torch.set_num_threads, initargs=(1,))


def in_parallel(
    pool: "Executor", compute: Callable[[Item], Made], items: Iterable[Item], ahead: int
) -> Iterator[tuple[Item, Made]]:
    """Yield each item with its result, in order, while up to `ahead` later items are computed."""
    pending: deque[tuple[Item, Future[Made]]] = deque()
    for item in items:
        pending.append((item, pool.submit(compute, item)))
        if len(pending) > ahead:
            first, result = pending.popleft()
            yield first, result.result()
    for first, result in pending:
        yield first, result.result()


def set_threads(count: int = 0) -> int:
    """Set the number of threads of torch, OpenCV and numba to `count`, or to `thread_count()` if it is 0; return it.

    torch runs operations side by side in a second pool. Its size can be set only once, before it is used first.

    Raises ValueError for a negative count.
    """
    import cv2
    import numba
    import torch

    if count < 0:
        raise ValueError(f"got {count} threads, expected 0 (one per core) or more")
    count = count or thread_count()
    cv2.setNumThreads(count)
    # numba raises for more threads than it was started with.
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined, unused-ignore]
    # Last, because numba sets the number for all of OpenMP when it starts its threads.
    torch.set_num_threads(count)
    if torch.get_num_interop_threads() != count:
        with suppress(RuntimeError):
            torch.set_num_interop_threads(count)
    return count


def _read(path: Path) -> str:
    """Return the text of a kernel file, or "" if it cannot be read."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
