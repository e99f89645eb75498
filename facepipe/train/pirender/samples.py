"""Metrics and sample pictures of the averaged network on unseen people, during training."""

from __future__ import annotations

import numpy as np
import torch

from facepipe.renderers.compact.net import CompactNet
from facepipe.train.pirender.batch import rendered, to_batch
from facepipe.train.pirender.loop import Picture
from facepipe.train.pirender.losses import attention, detail
from facepipe.train.pirender.pairs import Pair

SAMPLE_ROWS = 8


@torch.no_grad()
def metrics(net: CompactNet, batches: list[Pair]) -> dict[str, float]:
    """Return PSNR in dB, L1 of mouth and eyes, and difference in detail over batches, of result and prior."""
    sums: dict[str, list[float]] = {}
    for pair in batches:
        batch = to_batch(pair)
        made = rendered(net, batch).picture
        mouth = attention(batch.points, made.shape[-1]) > 3
        for name, picture in (("result", made), ("prior", batch.prior)):
            gap = (picture - batch.truth) * 127.5
            psnr = 10 * torch.log10(255**2 / gap.square().mean((1, 2, 3)).clamp_min(1e-6))
            sums.setdefault(f"psnr {name}", []).append(float(psnr.mean()))
            inside = (gap.abs() * mouth).sum() / (3 * mouth.sum())
            sums.setdefault(f"fine l1 {name}", []).append(float(inside))
            sums.setdefault(f"detail {name}", []).append(float(detail(picture, batch.truth)))
    return {name: sum(values) / len(values) for name, values in sums.items()}


def sample_sheet(net: CompactNet, batches: list[Pair]) -> Picture:
    """Return rows of source, truth, prior, warp, result and blend (prior red, warp green, generated blue)."""
    rows = []
    for pair in batches[:: max(1, len(batches) // SAMPLE_ROWS)]:
        batch = to_batch(Pair(*(part[-1:] for part in pair)))
        with torch.no_grad():
            made = rendered(net, batch)
        parts = (batch.source, batch.truth, batch.prior, made.warped, made.picture, made.blend * 2 - 1)
        rows.append(torch.cat([part[0] for part in parts], dim=2))
    sheet = (torch.cat(rows, dim=1) + 1) * 127.5
    return np.asarray(sheet.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())
