"""The renderer of the compact bi-layer network on painted heads, with a tiny network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facepipe.renderers.bilayer.compact import renderer
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.renderers.bilayer.compact.renderer import CompactBilayerRenderer, embed, sharpened
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.source import Source
from tests.face.faces import face_model
from tests.renderers import painted
from tests.renderers.bilayer.compact.test_net import SIDE, tiny_net
from tests.renderers.compact.test_renderer import rows
from tests.renderers.painted import Picture, closed, pose_at


def portrait(size: int = SIDE) -> Source:
    """Return a painted head whose matte is the middle of the picture."""
    matte = np.zeros((size, size), np.float32)
    matte[size // 8 : -size // 8, size // 8 : -size // 8] = 1
    return replace(painted.portrait(size, closed(), pose_at(size)), matte=matte)


def opened(net: CompactBilayerNet, source: Source, threads: int = 1) -> CompactBilayerRenderer:
    prior = MeshRenderer(face_model(), source)
    return CompactBilayerRenderer(
        net, face_model(), source, prior, embed(net, face_model(), source, prior), threads=threads
    )


def frames_of(net: CompactBilayerNet, threads: int = 1) -> list[Picture]:
    return list(opened(net, portrait(), threads).frames(*rows()))


def test_the_untrained_network_stays_close_to_the_mesh_renderer() -> None:
    """Every frame, in order, is close to the prior's where texture and prior agree; alpha is the head's."""
    made = opened(tiny_net(), portrait())
    expected = list(made.prior.frames(*rows()))  # type: ignore[attr-defined]
    frames = list(made.frames(*rows()))
    assert len(frames) == len(expected) == 3
    for frame, prior in zip(frames, expected, strict=True):
        assert frame.shape == (SIDE, SIDE, 4)
        assert np.abs(frame[..., :3].astype(int) - prior).mean() < 6
        assert frame[SIDE // 2, SIDE // 2, 3] > 230
        assert frame[0, 0, 3] < 30


def test_threads_change_no_byte() -> None:
    net = tiny_net(trained=True)
    alone, together = frames_of(net), frames_of(net, threads=3)
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_larger_portrait_keeps_its_detail() -> None:
    """The texture of a portrait larger than the network's side has the portrait's own pixels, sharpened."""
    source, net = portrait(2 * SIDE), tiny_net()
    prior = MeshRenderer(face_model(), source)
    colour = embed(net, face_model(), source, prior)["colour"][0, :3]
    own = torch.from_numpy(source.picture.transpose(2, 0, 1) / 127.5 - 1).float()
    assert float((colour - sharpened(own[None])[0]).abs().max()) < 0.05
    frame = next(opened(net, source).frames(source.expression[None], source.pose))
    assert frame.shape == (2 * SIDE, 2 * SIDE, 4)


def test_the_artefact_holds_plain_convolutions_only() -> None:
    source, net = portrait(), tiny_net(trained=True)
    tensors = embed(net, face_model(), source, MeshRenderer(face_model(), source))
    assert not [name for name in tensors if "affine" in name]
    assert tensors["generator.enter.weight"].shape == net.generator.enter.conv.weight.shape


def test_a_source_without_a_matte_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        opened(tiny_net(), replace(portrait(), matte=None))


def test_bfloat16_pictures_are_close_to_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the network's decisions are rounded; the same on every processor, whichever type it would select."""
    net, made = tiny_net(trained=True), {}
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(renderer, "compute_dtype", lambda device, dtype=dtype: dtype)
        opened_net = opened(net, portrait())
        assert opened_net.net.generator.final.weight.dtype == dtype  # type: ignore[attr-defined]
        made[dtype] = np.stack(list(opened_net.frames(*rows()))).astype(int)
    difference = np.abs(made[torch.bfloat16] - made[torch.float32])
    assert 0 < difference.mean() < 0.5


def test_threads_change_no_byte_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "compute_dtype", lambda device: torch.bfloat16)
    net = tiny_net(trained=True)
    alone, together = frames_of(net), frames_of(net, threads=3)
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
