"""Self-supervision of the mapper: the imitator draws the vector of a portrait, and the two pictures are compared.

Light, detail and expression of a photograph are not those of an avatar. So silhouettes are compared, and the mean
colours of skin and hair (Sang et al. 2022 compare stylised portraits, which need a face generator).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facepipe.avatar.framing import PLAIN
from facepipe.models.avatar_mapper import PARTS
from facepipe.models.imitator import Imitator

CELLS = 32
"""Side of the grid on which silhouettes are compared."""
CHEEKS = ((0.50, 0.60), (0.38, 0.46), (0.54, 0.62))
"""Rows, and columns of both cheeks, in the frame of the face, as fractions of its side."""
FAR = 0.15
"""Distance of a colour from the plain background, sRGB from 0 to 1, from which a pixel surely shows the avatar."""
SURE_HAIR = 20.0
"""Pixels of hair below which its colour is not compared."""


def imitation_loss(imitator: Imitator, rows: Tensor, wide: Tensor, parts: Tensor) -> Tensor:
    """Return the loss of B portraits: silhouettes, and colours of skin and hair.

    Args:
        imitator: The frozen network.
        rows: (B, LENGTH), vectors of the mapper.
        wide: (B, 5, S, S), the mapper's input: RGB, matte, inside, -1 to 1.
        parts: (B, len(PARTS), S / 2, S / 2), the mapper's logits of parts, which say where the hair is.
    """
    drawn = functional.interpolate((imitator(rows) + 1) / 2, size=wide.shape[-2:], mode="area")
    portrait, matte, inside = (wide[:, :3] + 1) / 2, (wide[:, 3:4] + 1) / 2, (wide[:, 4:5] + 1) / 2
    away = (drawn - torch.tensor(PLAIN).view(1, 3, 1, 1)).square().sum(1, keepdim=True)
    figure = 1 - torch.exp(-away / FAR**2)
    grid = [functional.adaptive_avg_pool2d(plane * inside, CELLS) for plane in (figure, matte)]
    # Shoulders of avatars are all alike, so the lowest rows say nothing.
    rows_kept = slice(0, round(0.8 * CELLS))
    silhouette = (grid[0] - grid[1])[:, :, rows_kept].abs().mean()
    hair = parts.detach().float().softmax(1)[:, PARTS.index("hair")][:, None]
    hair = functional.interpolate(hair, size=wide.shape[-2:], mode="nearest") * inside * matte
    both = hair * figure.detach()
    enough = (both.sum((1, 2, 3)) > SURE_HAIR).float()
    hair_error = (_mean(drawn, both) - _mean(portrait, both)).abs().mean(1)
    skin = _cheeks(wide.shape[-1]).to(wide) * inside
    skin_error = (_mean(drawn, skin) - _mean(portrait, skin)).abs().mean()
    return silhouette + skin_error + (enough * hair_error).mean()


def _mean(picture: Tensor, weights: Tensor) -> Tensor:
    """Return the mean colours (B, 3) of pictures under weights (B, 1, S, S)."""
    return (picture * weights).sum((2, 3)) / weights.sum((2, 3)).clamp_min(1)


def _cheeks(side: int) -> Tensor:
    """Return where the cheeks are (1, 1, side, side)."""
    mask = torch.zeros(1, 1, side, side)
    top, bottom = (round(side * place) for place in CHEEKS[0])
    for columns in CHEEKS[1:]:
        left, right = (round(side * place) for place in columns)
        mask[:, :, top:bottom, left:right] = 1
    return mask
