"""How many bits go where: the bytes of stills, the quantiser's scale, and which frames get a packet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import TokenCodec, TokenTable
from facepipe.codec.restoration import restored
from facepipe.codec.table import SCALE_COUNT
from facepipe.models.rows import row_product

Floats = NDArray[np.floating]

# The share of the bit rate for stills, and what of it one still may use and needs: below the floor faces lose their
# likeness, above the ceiling the renderer shows no more of the detail.
STILL_SHARE, STILL_FLOOR_BYTES, STILL_CEILING_BYTES = 0.6, 500, 2500
RECORD_BYTES = 3
"""Bytes of the record of a frame beside its packet."""
KEY_BYTES = 150
"""Bytes of a key frame's record beside its still, with its share of header, index and end."""
# The correction makes packets longer by this factor, in the mean over clips.
CORRECTED = 1.06
INTERVALS = (1, 2, 3)
"""Every frame has a packet, or every second or third one, between which tokens are interpolated."""
SAMPLE_FRAMES = 48


@dataclass(frozen=True)
class Plan:
    """What is the same for a whole stream."""

    scale: int
    """Number of the quantiser's scale."""
    interval: int
    """Frames from packet to packet."""

    def sent(self, count: int) -> NDArray[np.intp]:
        """Return the numbers of the frames of a run of `count` frames that have a packet; the last one always does."""
        return np.union1d(np.arange(0, count, self.interval), [count - 1])


@dataclass(frozen=True)
class Budget:
    """The bits of pictures."""

    bits_per_second: float

    def still_bytes(self, seconds: float) -> float:
        """Return the bytes of all stills of a piece of a clip."""
        return STILL_SHARE * self.bits_per_second * seconds / 8

    def still_count(self, seconds: float) -> int:
        """Return how many stills a piece of a clip may have."""
        return max(1, int(STILL_SHARE * self.bits_per_second * seconds / 8 / STILL_FLOOR_BYTES))

    def token_bytes(self, seconds: float, still_bytes: int) -> float:
        """Return the bytes of all packets of a run, with their records."""
        whole = self.bits_per_second * seconds / 8
        return max(whole - still_bytes - KEY_BYTES, (1 - STILL_SHARE) * whole / 2) / CORRECTED


def choose_plan(table: TokenTable, own: Floats, tokens: Floats, max_bytes: float) -> Plan:
    """Return the plan with the smallest error of (T, D) tokens of a run that needs at most `max_bytes`.

    The coarsest plan if even that needs more. `own` are the (D,) tokens of the still.
    """
    plans = [plan for interval in INTERVALS if (plan := _finest(table, own, tokens, interval, max_bytes))]
    if not plans:
        return Plan(SCALE_COUNT - 1, INTERVALS[-1])
    return min(plans, key=lambda plan: _error(table, own, tokens, plan))


def _finest(table: TokenTable, own: Floats, tokens: Floats, interval: int, max_bytes: float) -> Plan | None:
    low, high, best = 0, SCALE_COUNT - 1, None
    while low <= high:
        plan = Plan((low + high) // 2, interval)
        if _bytes(table, own, tokens, plan) <= max_bytes:
            best, high = plan, plan.scale - 1
        else:
            low = plan.scale + 1
    return best


def _bytes(table: TokenTable, own: Floats, tokens: Floats, plan: Plan) -> float:
    """Return the bytes of all packets and their records, from a sample of them."""
    codec, sent = TokenCodec(table, plan.scale), plan.sent(len(tokens))
    reference = codec.reference(own)
    picked = sent[:: max(1, -(-len(sent) // SAMPLE_FRAMES))]
    lengths = [len(codec.packet(tokens[row] - own, reference)) for row in picked]
    return len(sent) * (float(np.mean(lengths)) + RECORD_BYTES)


def _error(table: TokenTable, own: Floats, tokens: Floats, plan: Plan) -> float:
    """Return the root mean square error of the decoded frames in components of the table."""
    codec, sent = TokenCodec(table, plan.scale), set(plan.sent(len(tokens)).tolist())
    components = row_product(tokens - own, table.analysis)
    quantised = codec.step * np.rint(components / codec.step)
    rows = ((row, quantised[row] if row in sent else None) for row in range(len(tokens)))
    decoded = np.stack([one for _, one in restored(rows, components.shape[1])])
    return float(np.sqrt(np.mean((decoded - components) ** 2)))
