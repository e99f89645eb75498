"""Landmarks and frames of the renderer `bilayer` in pieces and on several threads."""

from __future__ import annotations

import numpy as np

from facepipe.renderers.bilayer.framing import Framing
from facepipe.renderers.bilayer.streaming import BilayerRenderer, initialised
from facepipe.spaces.keypoints68.landmarks import followed, projected
from tests.face.faces import face_model
from tests.pieces.test_pieces import FEW_SIZES, FRAMES, Array, _one_thread, same
from tests.renderers.bilayer.small import motion, portrait, small_net
from tests.spaces.test_retargeting import made

__all__ = ["_one_thread"]


def test_landmarks() -> None:
    """Each row depends on nothing but its own motion and the source."""
    model, rows = face_model(), made(3, 23)
    same(lambda first, end: projected(rows.rows(first, end), model), 23)
    source = motion(1)
    same(lambda first, end: followed(rows.rows(first, end), source, model).keypoints, 23)


def test_frames() -> None:
    """Frames are independent of segment size and number of threads."""
    source, net = portrait(), small_net()
    framing = Framing(source, net.config.side_pixels)
    prepared = initialised(net, source)
    renderers = {threads: BilayerRenderer(net, framing, prepared, threads=threads) for threads in (0, 1, 3)}
    keypoints = motion(FRAMES).keypoints

    def rendered(first: int, end: int, threads: int = 3) -> Array:
        return np.stack(list(renderers[threads].frames(keypoints[first:end])))

    whole = same(rendered, FRAMES, FEW_SIZES)
    for threads in (0, 1):
        np.testing.assert_array_equal(rendered(0, FRAMES, threads), whole)
