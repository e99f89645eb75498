"""The sharpened texture of the compact bi-layer renderer."""

from __future__ import annotations

import numpy as np
import torch

from facepipe.renderers.bilayer.compact.renderer import SHARPENING, sharpened


def test_detail_is_added_and_plain_areas_are_kept() -> None:
    texture = torch.zeros(1, 3, 9, 9)
    texture[:, 1] = 0.3
    texture[:, 2] = torch.arange(9.0) / 20
    texture[0, 0, 4, 4] = 1
    made = sharpened(texture)
    np.testing.assert_allclose(made[0, 1], texture[0, 1], atol=1e-6)
    np.testing.assert_allclose(made[0, 2, :, 1:-1], texture[0, 2, :, 1:-1], atol=1e-6)
    # The blurred point keeps a quarter of its height.
    np.testing.assert_allclose(made[0, 0, 4, 4], 1 + SHARPENING * 0.75, atol=1e-6)
    np.testing.assert_allclose(made[0, 0].sum(), 1.0, atol=1e-6)
