"""The attention of one picture in the form that a CPU computes fastest: the same values up to rounding."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from facepipe.device import bfloat16_is_fast
from facepipe.models import narrow_attention, tile_attention
from facepipe.models.vectors import LANES, LOG2_E
from facepipe.renderers.imf.attention import attend

FEWEST = 512
"""Keys from which on tiles are faster than torch."""


def attend_quickly(queries: Tensor, keys: Tensor, values: Tensor, *, heads: int = 1) -> Tensor:
    """Return the values (N, C') by attention of queries (N, C) to keys (M, C), as `attend` does for (1, N, C)."""
    made = None
    narrow = queries.shape[1] == values.shape[1] == heads * narrow_attention.WIDTH
    # torch's own attention in bfloat16 is faster, except for narrow heads.
    if (narrow or queries.dtype == torch.float32) and len(keys) >= FEWEST:
        if has_tiles() and tile_attention.supports(queries, keys, values, heads):
            made = tile_attention.attended(queries, keys, values, heads)
        elif narrow and len(queries) % LANES == 0 == len(keys) % LANES:
            made = _narrow(queries, keys, values, heads)
    if made is None:
        return attend(queries[None], keys[None], values[None], heads=heads)[0]
    return made.to(values.dtype)


@cache
def has_tiles() -> bool:
    """Return whether this process may use the registers of AMX. Asks Linux for them."""
    granted = getattr(torch.cpu, "_init_amx", lambda: True)
    return bfloat16_is_fast() and bool(granted())


def _narrow(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor | None:
    scaled = queries * (LOG2_E / narrow_attention.WIDTH**0.5)
    parts = [x.float().T.contiguous().view(heads, narrow_attention.WIDTH, -1).numpy() for x in (scaled, keys, values)]
    made = [narrow_attention.attended(*(part[head] for part in parts)) for head in range(heads)]
    found = [one for one in made if one is not None]
    return torch.from_numpy(np.concatenate(found)).T if len(found) == heads else None
