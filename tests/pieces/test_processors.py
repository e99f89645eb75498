"""Tests of pieces with smaller instruction sets, emulated as far as this processor allows.

Libraries select their instruction set when they start, so each run is a separate process. With fewer instructions other
kernels run, for which other shapes of a product round equally.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from facepipe.device import cpu_flags
from tests.pipeline.scene import ROOT

# For each run the CPU flag that it requires, and its environment. torch and OpenBLAS do not check that the processor
# has the instructions that their variables select; oneDNN and MKL fall back to those available. Each value of each
# variable occurs in one of the runs.
PROCESSORS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "SSE4.1": (
        "sse4_1",
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_CBWR": "COMPATIBLE",
            "OPENBLAS_CORETYPE": "Nehalem",
        },
    ),
    "AVX2": (
        "avx2",
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_CBWR": "AVX2",
            "OPENBLAS_CORETYPE": "Haswell",
        },
    ),
    "AVX-512": (
        "avx512f",
        {
            "ATEN_CPU_CAPABILITY": "avx512",
            "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
            "MKL_CBWR": "AVX512",
            "OPENBLAS_CORETYPE": "SkylakeX",
        },
    ),
    # For a processor that has more: FP16 or AMX.
    "bfloat16": ("avx512_fp16", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}),
}
UNCHECKED = ("ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE")


def differs(processor: str) -> bool:
    """Return whether a run differs from `test_pieces` itself: a limit above the processor's own changes nothing."""
    needed, settings = PROCESSORS[processor]
    return needed in cpu_flags() or not settings.keys() <= {"ONEDNN_MAX_CPU_ISA", *UNCHECKED}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("processor", [name for name in PROCESSORS if differs(name)])
def test_pieces_equal_the_whole_on_other_processors(processor: str) -> None:
    needed, settings = PROCESSORS[processor]
    if needed not in cpu_flags():
        settings = {name: value for name, value in settings.items() if name not in UNCHECKED}
    others = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Waiting threads sleep and OpenBLAS uses one thread, as in the program.
    environment = {**others, "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1", **settings}
    names = ("test_pieces.py", "test_mattes.py", "test_bilayer.py")
    pieces = [str(ROOT / "tests/pieces" / name) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *pieces]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
