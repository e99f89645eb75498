"""Attention on processors with AMX, to about the precision of float32: in half of torch's time or less.

Products are computed in tiles of bfloat16, 16 times as fast as in float32, with each number as the sum of two
bfloat16. Only scores of 16 queries and 32 keys exist at a time. What remains are the exponentials, in vectors of
float32, while the tiles of the next keys and of the previous ones are multiplied.

Linux must have granted the process the registers, as oneDNN asks it to for products of bfloat16.

Layout of tiles (Intel 64 manual, volume 1, chapter 18): the first factor has 16 rows of 32 numbers, the second 16 rows
of 16 pairs of numbers, and the product 16 rows of 16 float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from facepipe.models.compiled import compiled_fused
from facepipe.models.tiles import DEPTH, ROWS, Floats, Halves, tile_first, tile_second, tile_values
from facepipe.models.vectors import (
    BYTE,
    FLOAT,
    INTEGERS,
    LOG2_E,
    LONG,
    ROUNDING,
    VECTOR,
    Vectors,
    cgutils,
    constant,
    integers,
)

HIGHEST, LOWEST, LEAST = 60.0, -125.0, 2.0**-90
"""As in `narrow_attention`: limits of exponents, and the smallest sum of exponentials of which none is missing."""
TILE_BYTES = 1024
SCORES, WEIGHTS, SCRATCH_BYTES = 0, 4 * TILE_BYTES, 8 * TILE_BYTES
"""Offsets of scores and of weights in a thread's memory. There are two of each, of two tiles, used in turns."""
FIRST, SECOND, MADE = 7, 6, 5
"""Registers of the factors and of scores; the others, from 0, sum up values."""
MOST_COLUMNS = 4
UPPER, ROUND_UP = -65536, 1 << 15
"""Mask of the upper half of 32 bits, a bfloat16, and what rounds it to the nearest one."""
Bytes = NDArray[np.uint8]


class Sizes(NamedTuple):
    """Numbers of tiles that the compiler must know: they are the lengths of tuples."""

    steps: tuple[int, ...]
    """Tiles over the channels of queries and keys."""
    columns: tuple[int, ...]
    """Tiles over the channels of values."""
    parts: tuple[int, ...]
    """Tiles per such tile of values: 1 if its columns hold both halves of 8 channels, 2 if each half has its own."""


class _Rows:
    """Writes the code for the attention of 16 queries to all keys."""

    def __init__(self, builder: Any, pointers: list[Any], sizes: tuple[int, int, int], first: Any, floor: Any) -> None:
        """`pointers` are those of the arrays of `attend_rows`; `first` is the index of the queries' tile."""
        self.builder, self.vectors = builder, Vectors(builder)
        self.queries, self.keys, self.values, self.out, self.sums, self.scratch = pointers
        self.steps, self.columns, self.parts = sizes
        self.first = first
        self.rounding = self.vectors.splat(builder.fadd(floor, FLOAT(ROUNDING)))
        self.lowest = self.vectors.splat(builder.fsub(FLOAT(LOWEST), floor))

    def write(self, blocks: Any) -> None:
        """Write everything, for a number of blocks of 32 keys."""
        builder = self.builder
        totals = [cgutils.alloca_once_value(builder, constant(0)) for _ in range(ROWS)]
        for column in range(self.columns):
            self._tile("tilezero", column)
        self._score(LONG(0), LONG(0))
        with cgutils.for_range_slice(builder, LONG(0), blocks, LONG(1), intp=LONG) as (block, _):
            turn = builder.and_(block, LONG(1))
            other, after = builder.xor(turn, LONG(1)), builder.add(block, LONG(1))
            with builder.if_then(builder.icmp_signed("<", after, blocks), likely=True):
                self._score(after, other)
            with builder.if_then(builder.icmp_signed(">", block, LONG(0)), likely=True):
                self._mix(builder.sub(block, LONG(1)), other)
            self._weigh(turn, totals)
        last = builder.sub(blocks, LONG(1))
        self._mix(last, builder.and_(last, LONG(1)))
        for column in range(self.columns):
            place = builder.add(builder.mul(self.first, LONG(self.columns)), LONG(column))
            self._move("tilestored64", column, self._at(self.out, place))
        for row, total in enumerate(totals):
            place = builder.add(builder.mul(self.first, LONG(ROWS)), LONG(row))
            address = builder.gep(builder.bitcast(self.sums, FLOAT.as_pointer()), [place])
            builder.store(self.vectors.total(builder.load(total)), address)

    def _score(self, block: Any, turn: Any) -> None:
        """Write the scores of a block of keys to the scratch memory."""
        builder = self.builder
        for half in range(2):
            self._tile("tilezero", MADE)
            keys = builder.add(builder.mul(block, LONG(2)), LONG(half))
            for step in range(self.steps):
                for register, pointer, tile in ((FIRST, self.queries, self.first), (SECOND, self.keys, keys)):
                    place = builder.add(builder.mul(tile, LONG(self.steps)), LONG(step))
                    self._move("tileloadd64", register, self._at(pointer, place))
                self._tile("tdpbf16ps", MADE, FIRST, SECOND)
            self._move("tilestored64", MADE, self._scratch(SCORES, turn, half))

    def _weigh(self, turn: Any, totals: list[Any]) -> None:
        """Turn scores in the scratch memory into weights, as two bfloat16 each, and add them to the totals."""
        builder, vectors = self.builder, self.vectors
        for row, total in enumerate(totals):
            weights = []
            for half in range(2):
                score = vectors.load(self._scratch(SCORES, turn, half, row))
                weights.append(vectors.power(vectors.call("maxnum", score, self.lowest), self.rounding))
            builder.store(builder.fadd(builder.load(total), builder.fadd(*weights)), total)
            upper = [builder.and_(builder.bitcast(one, INTEGERS), integers(UPPER)) for one in weights]
            rest = [builder.fsub(one, builder.bitcast(half, VECTOR)) for one, half in zip(weights, upper, strict=True)]
            # The lower halves are rounded: cut off, they would all be too small.
            lower = [builder.add(builder.bitcast(one, INTEGERS), integers(ROUND_UP)) for one in rest]
            # Key 16 + i of the block comes right after key i: pairs, as values have them.
            for part, (one, two) in enumerate((upper, lower)):
                pairs = builder.or_(builder.lshr(one, integers(16)), builder.and_(two, integers(UPPER)))
                address = self._scratch(WEIGHTS, turn, part, row)
                builder.store(pairs, builder.bitcast(address, INTEGERS.as_pointer())).align = 4

    def _mix(self, block: Any, turn: Any) -> None:
        """Add the values of a block, by its weights, to the registers of sums."""
        builder = self.builder
        for part in range(2):
            self._move("tileloadd64", FIRST, self._scratch(WEIGHTS, turn, part))
            # The product of both lower parts is too small to count.
            for other in range(self.parts if part == 0 else 1):
                for column in range(self.columns):
                    place = builder.mul(block, LONG(self.parts * self.columns))
                    place = builder.add(place, LONG(other * self.columns + column))
                    self._move("tileloadd64", SECOND, self._at(self.values, place))
                    self._tile("tdpbf16ps", column, FIRST, SECOND)

    def _at(self, pointer: Any, tile: Any) -> Any:
        return self.builder.gep(pointer, [self.builder.mul(tile, LONG(TILE_BYTES))])

    def _scratch(self, offset: int, turn: Any, half: int, row: int = 0) -> Any:
        place = self.builder.mul(turn, LONG(2 * TILE_BYTES))
        inside = offset + half * TILE_BYTES + row * TILE_BYTES // ROWS
        return self.builder.gep(self.scratch, [self.builder.add(place, LONG(inside))])

    def _tile(self, name: str, *registers: int) -> None:
        function = self.vectors.function(f"llvm.x86.{name}", ir.VoidType(), *[BYTE] * len(registers))
        self.builder.call(function, [BYTE(register) for register in registers])

    def _move(self, name: str, register: int, address: Any) -> None:
        kinds = BYTE, BYTE.as_pointer(), LONG
        function = self.vectors.function(f"llvm.x86.{name}", ir.VoidType(), *kinds)
        self.builder.call(function, [BYTE(register), address, LONG(TILE_BYTES // ROWS)])


def _pointers(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    arrays = [context.make_array(kind)(context, builder, value) for kind, value in zip(kinds, values, strict=True)]
    return [builder.bitcast(array.data, BYTE.as_pointer()) for array in arrays]


def _attend(
    _context: Any,
    queries: Any,
    keys: Any,
    values: Any,
    out: Any,
    sums: Any,
    scratch: Any,
    first: Any,
    floor: Any,
    steps: Any,
    columns: Any,
    parts: Any,
) -> Any:
    sizes = steps.count, columns.count, parts.count

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = _pointers(context, builder, signature.args[:6], arguments[:6])
        shape = context.make_array(signature.args[2])(context, builder, arguments[2]).shape
        _Rows(builder, pointers, sizes, arguments[6], arguments[7]).write(builder.extract_value(shape, 0))
        return context.get_dummy_value()

    return types.void(queries, keys, values, out, sums, scratch, first, floor, steps, columns, parts), generate


def _set_up(name: str) -> Any:
    def typed(_context: Any, config: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers = _pointers(context, builder, signature.args, arguments)
            builder.call(Vectors(builder).function(name, ir.VoidType(), BYTE.as_pointer()), pointers)
            return context.get_dummy_value()

        return types.void(config), generate

    return intrinsic(typed)


attend_rows: Any = intrinsic(_attend)
load_config, store_config = _set_up("llvm.x86.ldtilecfg"), _set_up("llvm.x86.sttilecfg")


@compiled_fused
def attend_head(
    queries: Halves,
    keys: Halves,
    values: Halves,
    out: Floats,
    sums: Floats,
    floors: Floats,
    scratch: Bytes,
    configs: Bytes,
    sizes: Any,
) -> None:
    """Write the attention of one head to `out` and the sums of exponentials to `sums`; both are not divided yet.

    Args:
        queries, keys, values: Tiles, as `_Tiled` has them for one head.
        out: (tiles of queries, columns, 16, 16).
        sums: (queries,)
        floors: Integers that are added to the scores of each tile of queries.
        scratch: SCRATCH_BYTES.
        configs: (2, 64): the configuration of the tiles, and space for that of the thread before, which is restored.
        sizes: A `Sizes`.
    """
    store_config(configs[1])
    load_config(configs[0])
    for first in range(len(floors)):
        attend_rows(
            queries, keys, values, out, sums, scratch, first, floors[first], sizes.steps, sizes.columns, sizes.parts
        )
    load_config(configs[1])


def supports(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> bool:
    """Return whether `attended` computes tokens of these shapes, on a processor with AMX."""
    channels, width = queries.shape[1] // heads, values.shape[1] // heads
    fits = channels % 8 == 0 and width % 8 == 0 and (width == 8 or width % 16 == 0) and width <= 16 * MOST_COLUMNS
    return fits and len(queries) % ROWS == 0 and len(keys) % DEPTH == 0


def attended(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor | None:
    """Return the values (N, C') by attention of queries (N, C) to keys (M, C), in `heads` heads; all are float32.

    Returns None if the scores of a query are far below the product of its length and that of the longest key, so that
    this method does not see them.
    """
    parts = [x.float().reshape(len(x), heads, -1) for x in (queries, keys, values)]
    # Exponents of two instead of e.
    factor = LOG2_E / parts[0].shape[2] ** 0.5
    longest = parts[1].square().sum(2).amax(0).sqrt()
    lengths = parts[0].square().sum(2).sqrt().view(-1, ROWS, heads).amax(1)
    floors = (HIGHEST - factor * lengths * longest).clamp(max=0).floor().T.contiguous().numpy()
    tiled, sizes = _tiled(parts[0].numpy(), parts[1].numpy(), parts[2].numpy(), factor)
    width = max(ROWS, values.shape[1] // heads)
    out = torch.empty(heads, len(queries) // ROWS, width // ROWS, ROWS, ROWS)
    sums = torch.empty(heads, len(queries))
    configs = np.zeros((2, 64), np.uint8)
    # One palette; each of 8 tiles has 16 rows of 64 bytes.
    configs[0, 0], configs[0, 16:32:2], configs[0, 48:56] = 1, 64, ROWS
    scratch = _aligned(SCRATCH_BYTES)
    for head in range(heads):
        query, key, value = (one[head] for one in tiled)
        attend_head(query, key, value, out[head].numpy(), sums[head].numpy(), floors[head], scratch, configs, sizes)
    if float(sums.min()) < LEAST:
        return None
    mixed = out.transpose(2, 3).reshape(heads, len(queries), width) / sums[:, :, None]
    if len(sizes.parts) == 1:
        mixed = mixed[..., :8] + mixed[..., 8:]
    return mixed.transpose(0, 1).reshape(len(queries), -1)


def _tiled(queries: Floats, keys: Floats, values: Floats, factor: float) -> tuple[list[Halves], Sizes]:
    """Return the tiles of (N, heads, channels) tokens, (heads, tiles, ...), and their sizes; queries times a factor."""
    heads, channels, width = *queries.shape[1:], values.shape[2]
    # A product of few channels has room for all pairs of parts.
    pairs = 4 if channels % ROWS else 3
    steps, columns, parts = -(-pairs * channels // DEPTH), max(1, width // ROWS), 1 if width < ROWS else 2
    first = np.zeros((heads, len(queries) // ROWS, steps, ROWS, DEPTH), np.uint16)
    second = np.zeros((heads, len(keys) // ROWS, steps, ROWS, ROWS, 2), np.uint16)
    third = np.empty((heads, len(values) // DEPTH, parts * columns, ROWS, ROWS, 2), np.uint16)
    tile_first(queries, np.float32(factor), first, pairs)
    tile_second(keys, second, pairs)
    tile_values(values, third)
    return [first, second, third], Sizes((0,) * steps, (0,) * columns, (0,) * parts)


def _aligned(size: int) -> Bytes:
    """Return zeros whose rows of 64 bytes do not cross cache lines."""
    memory = np.zeros(size + 64, np.uint8)
    offset = -memory.ctypes.data % 64
    return memory[offset : offset + size]
