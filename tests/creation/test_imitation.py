"""The imitator from a weight file: pictures of relaxed vectors, gradients, files of another engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.avatar.layout import to_row
from facepipe.avatar.sampling import sample
from facepipe.checkpoint import save_network
from facepipe.creation.imitation import Imitator
from facepipe.errors import WeightsError
from facepipe.models.imitator import NAME, CompactImitatorConfig
from facepipe.models.imitator import Imitator as Network

TINY = CompactImitatorConfig(hidden=(6,), style=5, widths=(4, 6), enlargement=2)


def weight_of(config: CompactImitatorConfig, path: Path) -> Path:
    torch.manual_seed(1)
    save_network(Network(config), path, kind=NAME)
    return path


def test_a_picture_is_that_of_the_network(tmp_path: Path) -> None:
    """uint8 RGB; a value of -1 is black and 1 is white, and what is outside is clipped."""
    imitator = Imitator(weight_of(TINY, tmp_path / "a.safetensors"))
    relaxed = sample(3).relaxed()
    drawn = imitator.pictures(torch.from_numpy(to_row(relaxed))[None])[0]
    wanted = np.clip(np.round((drawn.numpy() + 1) * 127.5), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    picture = imitator.draw(relaxed)
    assert picture.shape == (16, 16, 3)
    np.testing.assert_array_equal(picture, wanted)


def test_gradients_reach_vectors(tmp_path: Path) -> None:
    """Of every number of a row, after pictures were drawn without gradients."""
    imitator = Imitator(weight_of(TINY, tmp_path / "a.safetensors"))
    imitator.draw(sample(3).relaxed())
    rows = torch.from_numpy(to_row(sample(4).relaxed()))[None].requires_grad_()
    (slope,) = torch.autograd.grad(imitator.pictures(rows).square().sum(), rows)
    assert (slope != 0).all()


def test_a_file_of_another_engine_is_refused(tmp_path: Path) -> None:
    """Its vectors have another length; the message says both."""
    path = weight_of(replace(TINY, length=TINY.length - 1), tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=f"{TINY.length - 1} numbers, this engine has {TINY.length}"):
        Imitator(path)
