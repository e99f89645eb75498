"""Vectors of 16 float32 in compiled loops: code that numba's compiler would not make of a loop by itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils as numba_cgutils

cgutils: Any = numba_cgutils

LANES = 16
FLOAT, INT, LONG, BYTE = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8)
VECTOR, INTEGERS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)
LOG2_E = math.log2(math.e)
# Of 2^x, close to the best polynomial on [-0.5, 0.5]: the relative error is 2e-7.
POWERS = (1.33335581e-3, 9.6181291e-3, 5.5504109e-2, 0.24022651, 0.69314718, 1.0)
ROUNDING = 1.5 * 2.0**23
"""A number that rounds what it is added to to an integer, which is then in the lowest bits of the sum."""


def constant(value: float) -> Any:
    """Return a vector of one float32."""
    return ir.Constant(VECTOR, [ir.Constant(FLOAT, float(np.float32(value)))] * LANES)


def integers(value: int) -> Any:
    """Return a vector of one int32."""
    return ir.Constant(INTEGERS, [ir.Constant(INT, value)] * LANES)


class Vectors:
    """Writes operations on vectors into a function that is being compiled."""

    def __init__(self, builder: Any) -> None:
        """Take the llvmlite builder of the function."""
        self.builder = builder

    def splat(self, value: Any) -> Any:
        """Return a vector of one float32 that is known at run time."""
        empty = ir.Constant(VECTOR, ir.Undefined)
        return self.builder.shuffle_vector(self.builder.insert_element(empty, value, INT(0)), empty, integers(0))

    def load(self, address: Any) -> Any:
        """Return the vector at the address of a float32."""
        loaded = self.builder.load(self.builder.bitcast(address, VECTOR.as_pointer()))
        loaded.align = 4
        return loaded

    def total(self, vector: Any) -> Any:
        """Return the sum of a vector's numbers."""
        function = self.function(f"llvm.vector.reduce.fadd.v{LANES}f32", FLOAT, FLOAT, VECTOR)
        return self.builder.call(function, [FLOAT(-0.0), vector], fastmath=("reassoc",))

    def call(self, name: str, *vectors: Any) -> Any:
        """Return the result of one of LLVM's functions of vectors, such as "fma"."""
        return self.builder.call(self.function(f"llvm.{name}.v{LANES}f32", VECTOR, *[VECTOR] * len(vectors)), vectors)

    def power(self, exponents: Any, rounding: Any) -> Any:
        """Return two to the power of exponents from -126 to 127, plus an integer n if `rounding` is ROUNDING + n."""
        builder = self.builder
        shifted = builder.fadd(exponents, rounding)
        fraction = builder.fsub(exponents, builder.fsub(shifted, rounding))
        made = constant(POWERS[0])
        for coefficient in POWERS[1:]:
            made = self.call("fma", made, fraction, constant(coefficient))
        # The integer part is added to the exponent among the bits.
        bits = builder.shl(builder.bitcast(shifted, INTEGERS), integers(23))
        return builder.bitcast(builder.add(builder.bitcast(made, INTEGERS), bits), VECTOR)

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return one of LLVM's functions by its name and types."""
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, list(arguments)), name)
