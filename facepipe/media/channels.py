"""The channels of a sound: which are silent, and which are in opposite phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark

Floats = NDArray[np.floating]

SILENT_SHARE = 1e-4
"""Power of a channel divided by that of the loudest one, up to which it counts as silent: -40 dB."""
_OPPOSITE_CORRELATION = -0.5
_SILENT_PEAK = 1e-3

SILENT = Remark("silent-sound", "the sound is silent")
CHANGED = Remark(
    "channels-change",
    "the sound changes its channels or its rate in the middle; for the motion they are mixed to one kind, and a "
    "result with the sound copied may not play beyond: convert the sound to one format first",
)


class ChannelMeter:
    """Measures the power of each channel and their correlation while the blocks of a sound pass through."""

    def __init__(self) -> None:
        """Start without a block."""
        self._products: Floats = np.zeros((0, 0))
        self._peak = 0.0
        self.changes: Counter[str] = Counter()
        """For `decode_sound`, which counts changes of the channels here."""

    def watch(self, blocks: Iterable[Floats]) -> Iterator[Floats]:
        """Yield the blocks (samples, channels) unchanged."""
        for block in blocks:
            wide = block.astype(np.float64)
            products = wide.T @ wide
            self._peak = max(self._peak, float(np.abs(wide).max(initial=0.0)))
            self._products = self._products + products if self._products.size else products
            yield block

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Remarks on a change of the channels, on silence, on silent channels, and on channels in opposite phase."""
        return (*((CHANGED,) if self.changes.total() else ()), *self._measured())

    def _measured(self) -> tuple[Remark, ...]:
        powers = np.diag(self._products)
        if self._peak < _SILENT_PEAK:
            return (SILENT,)
        if len(powers) < 2:
            return ()
        remarks, count = [], len(powers)
        silent = powers <= powers.max() * SILENT_SHARE
        if silent.any():
            text = f"{_listed(silent)} of {count} {'is' if silent.sum() == 1 else 'are'} silent; the others are used"
            remarks.append(Remark("silent-channels", text))
        loudest = int(powers.argmax())
        scale = np.sqrt(powers * powers[loudest])
        correlation = np.divide(self._products[loudest], scale, out=np.zeros(count), where=scale > 0)
        if (opposite := (correlation < _OPPOSITE_CORRELATION) & ~silent).any():
            verb = "is" if opposite.sum() == 1 else "are"
            text = (
                f"{_listed(opposite)} of {count} {verb} in opposite phase (inverted); "
                "the motion follows all channels, but a single loudspeaker (mono) plays little or nothing of them"
            )
            remarks.append(Remark("inverted-channels", text))
        return tuple(remarks)


def _listed(chosen: NDArray[np.bool_]) -> str:
    """Return e.g. "channel 2" or "channels 1, 3"."""
    numbers = ", ".join(str(number + 1) for number in np.flatnonzero(chosen))
    return f"channel{'s' if chosen.sum() > 1 else ''} {numbers}"
