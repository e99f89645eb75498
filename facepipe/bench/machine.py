"""What the metrics were measured on."""

from __future__ import annotations

import platform

import torch

from facepipe import __version__
from facepipe.device import CPU_INFO, bfloat16_is_fast, core_count, memory
from facepipe.media.ffmpeg import ffmpeg_version, find_ffmpeg


def describe_machine() -> dict[str, object]:
    """Name the hardware, and the software that speed hangs on."""
    return {
        "cpu": _cpu_model(),
        "cores": core_count(),
        "amx": bfloat16_is_fast(),
        "memory_gb": round(memory().total_bytes / 1e9, 1),
        "torch": f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}",
        "ffmpeg": ffmpeg_version(find_ffmpeg()),
        "python": platform.python_version(),
        "facepipe": __version__,
    }


def _cpu_model() -> str:
    try:
        lines = CPU_INFO.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
