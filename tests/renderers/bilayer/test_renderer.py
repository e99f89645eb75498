"""The renderer `bilayer` with published networks: the box, what is computed once, and its frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from facepipe.checkpoint import header_of
from facepipe.errors import WeightsError
from facepipe.renderers.bilayer import renderer, streaming
from facepipe.renderers.bilayer.cropping import crop_box
from facepipe.renderers.bilayer.framing import Framing
from facepipe.renderers.bilayer.published import Bilayer
from facepipe.rendering.spec import NETWORK
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients
from facepipe.spaces.keypoints68.landmarks import box_around
from facepipe.weights.saving import save_tensors
from tests.renderers.bilayer.networks import SMALL
from tests.renderers.bilayer.small import motion, portrait, save_small, small_net


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {NETWORK: save_small(tmp_path / "network.safetensors")}


def test_the_box_shows_what_the_published_program_cuts() -> None:
    """The published program cuts a box of whole pixels; outside of the picture it is black."""
    source = portrait()
    size = len(source.picture)
    assert isinstance(source.coefficients, KeypointCoefficients)
    points = source.coefficients.keypoints[0] * size / 2 + (size - 1) / 2
    for shift in (0, -40):
        moved = replace(source.coefficients, keypoints=(points + shift - (size - 1) / 2)[None] / (size / 2))
        box = crop_box(points + shift)
        cut = Image.fromarray(box.cut(source.picture))
        expected = np.asarray(cut.resize((64, 64), Image.Resampling.BICUBIC), float)
        framing = Framing(replace(source, coefficients=moved), 64)
        found = (framing.picture()[0].permute(1, 2, 0).numpy() + 1) * 127.5
        # Up to a pixel of the crop, by which rounding moves the published box.
        assert np.abs(found - expected).mean() < 10
        assert np.abs(framing.keypoints().numpy()[0] - box.normalised(points + shift)).max() < 3 / box.half_pixels
        if shift:
            outside = (np.asarray(expected) == 0).all(2)
            assert outside.mean() > 0.3
            assert (found[outside] < 40).mean() > 0.95
            assert framing.matte()[0, 0].numpy()[outside].mean() < 0.02


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_box_goes_back_to_its_place(size: int) -> None:
    """The source's own box, opaque, gives the source; beside it only the body below the chin is shown."""
    source = portrait(size)
    framing = Framing(source, 256)
    placed = framing.placed(framing.picture()[0], torch.ones(1, 256, 256))
    inside = placed[..., 3] == 255
    assert 0.5 < inside.mean() < 0.95
    difference = np.abs(placed[..., :3].astype(int) - source.picture)
    shifted = np.abs(np.roll(source.picture, 1, 1).astype(int) - source.picture)
    assert difference[inside].mean() < 0.5 * shifted[inside].mean()
    box = box_around(framing.own)
    edges = [float(box.center[0, 1] + sign * box.half_side[0]) * size / 2 + size / 2 for sign in (-1, 1)]
    rows = np.flatnonzero(inside.any(1))
    assert abs(rows[0] - edges[0]) < 2
    assert (placed[: int(edges[0]) - 1, :, 3] == 0).all()
    below = placed[int(edges[1]) + 2 :]
    assert source.matte is not None
    np.testing.assert_allclose(below[..., 3], 255 * source.matte[int(edges[1]) + 2 :], atol=1)
    np.testing.assert_array_equal(below[..., :3], source.picture[int(edges[1]) + 2 :])


def test_a_frame_is_what_the_networks_make(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same picture from the networks as they are, without the merge, on the landmarks of the box."""
    monkeypatch.setattr(streaming, "compute_dtype", lambda: torch.float32)
    source, rows = portrait(), motion(3)
    made = list(renderer.open_renderer(files, source, prior=None, prepared=None, compiled=False)(rows, 1, 3))
    net, framing = small_net(), Framing(source, SMALL.side_pixels)
    picture, matte, own = framing.picture(), framing.matte(), framing.keypoints()
    embeddings = net.embed(picture, matte, own)
    texture = net.texture(embeddings, picture, own)
    points = framing.keypoints(rows.keypoints[1:])
    layers = net.inference_generator(net.keypoints_embedder(points), embeddings)
    rgb, mask = layers.compose(texture).clamp(-1, 1), layers.logits.sigmoid()
    assert len(made) == 2
    assert np.abs(made[0].astype(int) - made[1]).max() > 5
    for frame, colour, share in zip(made, rgb, mask, strict=True):
        assert frame.shape == (128, 128, 4)
        assert np.abs(frame.astype(int) - framing.placed(colour, share)).max() <= 1


def test_the_source_is_prepared_once(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the stored tensors two drivers render the same bytes as without, and nothing of the source is computed."""
    source = portrait()
    fresh = renderer.open_renderer(files, source, prior=None, prepared=None, compiled=False)
    prepared = renderer.prepare(files, source, prior=None)
    save_file(dict(prepared), tmp_path / "prepared.safetensors")

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("the source is initialised again")

    expected = [list(fresh(motion(count), 0, count)) for count in (2, 3)]
    monkeypatch.setattr(Bilayer, "initialise", refused)
    for number, count in enumerate((2, 3)):
        stored = load_file(tmp_path / "prepared.safetensors")
        opened = renderer.open_renderer(files, source, prior=None, prepared=stored, compiled=False)
        np.testing.assert_array_equal(list(opened(motion(count), 0, count)), expected[number])


def test_networks_of_other_kinds_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_tensors({"a": torch.zeros(1)}, other, header_of("pirender", SMALL))
    with pytest.raises(WeightsError, match=r"other\.safetensors contains a network of kind 'pirender', expected bil"):
        renderer.prepare({NETWORK: other}, portrait(), prior=None)
    other.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="is not a readable safetensors file"):
        renderer.prepare({NETWORK: other}, portrait(), prior=None)
