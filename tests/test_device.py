"""Detection of cores, memory and instruction sets on simulated machines."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from facepipe import device


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A simulated machine without kernel files; tests create them in the returned folder."""
    monkeypatch.setattr(device, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(device, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(device, "CGROUP", tmp_path)
    device.cpu_flags.cache_clear()
    device.bfloat16_is_fast.cache_clear()
    yield tmp_path
    device.cpu_flags.cache_clear()
    device.bfloat16_is_fast.cache_clear()


def test_without_kernel_files(machine: Path) -> None:
    assert device.memory() == device.Memory(0, 0)
    assert device.core_count() >= 1
    assert device.cpu_flags() == frozenset()
    assert not device.bfloat16_is_fast()


def test_memory_of_the_machine(machine: Path) -> None:
    (machine / "meminfo").write_text("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    600 kB\n")
    (machine / "memory.max").write_text("max\n")
    assert device.memory() == device.Memory(1_024_000, 614_400)


def test_memory_of_a_container_that_has_less(machine: Path) -> None:
    (machine / "meminfo").write_text("MemTotal:       1000 kB\nMemAvailable:    600 kB\n")
    (machine / "memory.max").write_text("500000\n")
    (machine / "memory.current").write_text("200000\n")
    assert device.memory() == device.Memory(500_000, 300_000)


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", 4)])
def test_cores_are_limited_by_the_container_quota(
    machine: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1, 2, 3}, raising=False)
    (machine / "cpu.max").write_text(quota)
    assert device.core_count() == cores


@pytest.mark.parametrize(
    ("flags", "onednn", "fast"), [("avx2 amx_bf16", True, True), ("avx2 amx_bf16", False, False), ("avx2", True, False)]
)
def test_bfloat16_needs_amx_and_a_torch_that_uses_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch, flags: str, onednn: bool, fast: bool
) -> None:
    (machine / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\n")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn, raising=False)
    assert device.bfloat16_is_fast() is fast
    assert device.compute_dtype() == (torch.bfloat16 if fast else torch.float32)


def test_the_requested_precision_is_used(machine: Path) -> None:
    assert device.compute_dtype("bf16") == torch.bfloat16
    assert device.compute_dtype("fp32") == torch.float32


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        assert device.set_threads(1) == 1
        assert torch.get_num_threads() == 1
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # may be set on a shared machine
        monkeypatch.setattr(device, "core_count", lambda: 2)
        assert device.set_threads() == 2
        with pytest.raises(ValueError, match="got -1 threads"):
            device.set_threads(-1)
    finally:
        torch.set_num_threads(before)
