"""bfloat16 in compiled loops: numbers as the upper half of the bits of a float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from facepipe.models.compiled import compiled_fused


def _bits_of(_context: Any, _value: Any) -> Any:
    """Return the bits of a float32 as uint32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        from llvmlite import ir  # type: ignore[import-untyped]  # noqa: PLC0415 - only where it is compiled

        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), generate


def _float_of(_context: Any, _bits: Any) -> Any:
    """Return the float32 of bits in uint32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        from llvmlite import ir  # noqa: PLC0415 - only where it is compiled

        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


as_bits: Any = intrinsic(_bits_of)
as_float: Any = intrinsic(_float_of)


@compiled_fused
def widened(half: np.uint16) -> Any:
    """Return the float32 of a bfloat16."""
    return as_float(np.uint32(half) << np.uint32(16))


@compiled_fused
def rounded(value: np.float32) -> Any:
    """Return the bfloat16 nearest to a finite float32, ties to even."""
    bits = as_bits(value)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))
