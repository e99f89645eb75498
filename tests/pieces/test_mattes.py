"""Mattes of a part of a clip equal those of the whole, away from the ends of the part, on any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facepipe.checkpoint import save_network
from facepipe.face.matte import Matting
from facepipe.models import matting as network

FRAMES = 6


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Restore the numbers of threads."""
    before, of_cv2 = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before)
    cv2.setNumThreads(of_cv2)


def test_mattes_of_a_clip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = network.MattingConfig((16, 16, 24), (1, 1, 2), quarter_channels=16, half_channels=8)
    save_network(network.Matting(config), tmp_path / "net.safetensors", kind="matting")
    matting, random = Matting(tmp_path / "net.safetensors"), np.random.default_rng(7)
    # Noise of a few levels, so that neighbouring frames take part in each other's mattes.
    base = random.integers(20, 230, (300, 340, 3))
    pictures = [(base + random.integers(-9, 10, base.shape)).astype(np.uint8) for _ in range(FRAMES)]

    def mattes(first: int, end: int, threads: int = 2) -> np.ndarray:
        return np.stack([matte for _, matte in matting.mattes(pictures[first:end], threads)])

    whole = mattes(0, FRAMES)
    assert np.ptp(whole) > 0.01
    for first, end in ((0, 3), (1, 5), (3, 6), (2, 5)):
        low, high = first + (first > 0), end - (end < FRAMES)
        np.testing.assert_array_equal(mattes(first, end)[low - first : high - first], whole[low:high])
    for threads in (1, 3):
        cv2.setNumThreads(threads)
        np.testing.assert_array_equal(mattes(0, FRAMES, threads), whole)
