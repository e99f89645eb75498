"""The renderer `imf` with a small network: preparation, batches, edits, and files that do not fit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.errors import InputError, WeightsError
from facepipe.face.cropping import whole_picture
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.renderers.imf.loading import identity_of, load_any
from facepipe.renderers.imf.psi import Psi, PsiConfig, load_psi
from facepipe.renderers.imf.renderer import open_renderer, prepare, tokens_of
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.rendering.source import Picture, Source
from facepipe.rendering.spec import NETWORK
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.imf_tokens.coefficients import TokenCoefficients, with_tokens
from facepipe.weights.saving import save_tensors
from tests.renderers.imf.small import COMPACT, PUBLISHED, written

RANDOM = np.random.default_rng(4)
PICTURE = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def motion_of(network: Path, count: int, *, edited: bool = True) -> TokenCoefficients:
    """Return random motion in tokens of a network."""
    rows = Coefficients(
        identity=np.zeros(80),
        expression=RANDOM.normal(size=(count, 64)),
        angles=np.zeros((count, 3)),
        translation=np.zeros((count, 3)),
        valid=np.ones(count, bool),
        residual=np.zeros(count),
        fps=Fraction(25),
        crop=whole_picture(64),
        picture_size=(64, 64),
    )
    edits = RANDOM.normal(size=(count, 70)) if edited else np.zeros((count, 70))
    return with_tokens(rows, RANDOM.normal(size=(count, 32)), identity_of(network), edits)


@pytest.fixture(scope="module", params=["compact", "published"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small network of either kind with a map from coefficients."""
    config = COMPACT if request.param == "compact" else PUBLISHED
    return written(tmp_path_factory.mktemp("network") / "net.safetensors", config=config)


def rendered(network: Path, motion: TokenCoefficients, *parts: int, prepared: bool = False) -> list[Picture]:
    """Render motion in parts that begin at the given rows."""
    source, weights = Source(PICTURE, np.zeros((478, 3)), motion.rows(0, 1)), {NETWORK: network}
    tensors = prepare(weights, source, prior=None) if prepared else None
    render = open_renderer(weights, source, prior=None, prepared=tensors, compiled=False)
    ends = [*parts[1:], len(motion)]
    return [frame for first, end in zip(parts, ends, strict=True) for frame in render(motion, first, end)]


def test_frames_depend_on_nothing_but_their_row(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    motion = motion_of(network, 7)
    whole = np.stack(rendered(network, motion, 0))
    assert whole.shape == (7, 64, 64, 3)
    assert whole.std(0).max() > 0
    np.testing.assert_array_equal(whole, rendered(network, motion, 0, 2, 3))
    np.testing.assert_array_equal(whole, rendered(network, motion, 0, prepared=True))
    monkeypatch.setenv("FACEPIPE_THREADS", "3")
    np.testing.assert_array_equal(whole, rendered(network, motion, 0))


def test_frames_are_those_of_the_plain_network(network: Path) -> None:
    """One after the other, the map written out, without what the renderer adds."""
    motion, net, psi = motion_of(network, 3), load_any(network).net, load_psi(network)
    assert psi is not None
    source = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    for row, frame in enumerate(rendered(network, motion, 0)):
        token, edit = (torch.from_numpy(rows[row : row + 1]).float() for rows in (motion.tokens, motion.edits))
        expected = net.render(net.prepare(source), psi(token, edit))[0].permute(1, 2, 0)
        difference = np.abs(frame - (expected.clamp(-1, 1) + 1).numpy() * 127.5)
        # The compact network renders in mixed precision where that is faster.
        assert difference.max() < (8 if isinstance(net, ImfCompact) else 0.51)
        assert difference.mean() < 0.6


def test_larger_sources_are_rendered_in_the_size_of_the_network(network: Path) -> None:
    motion = motion_of(network, 2)
    large = PICTURE.repeat(2, 0).repeat(2, 1)
    source = Source(large, np.zeros((478, 3)), motion.rows(0, 1))
    render = open_renderer({NETWORK: network}, source, prior=None, prepared=None, compiled=False)
    frames = list(render(motion, 0, 2))
    assert frames[0].shape == (128, 128, 3)
    small = [frame[::2, ::2].astype(float) for frame in frames]
    near = [frame.astype(float) for frame in rendered(network, motion, 0)]
    assert np.abs(np.stack(small) - np.stack(near)).mean() < 4


def test_without_edits_tokens_are_unchanged(network: Path) -> None:
    motion = motion_of(network, 3, edited=False)
    np.testing.assert_array_equal(tokens_of(motion, network), motion.tokens.astype(np.float32))


def test_an_edit_of_zero_changes_no_bit() -> None:
    torch.manual_seed(1)
    psi, tokens = Psi(PsiConfig(width=16)), torch.randn(5, 32)
    assert torch.equal(psi(tokens, torch.zeros(5, 70)), tokens)
    assert not torch.equal(psi(tokens, torch.ones(5, 70)), tokens)


def test_expressions_beyond_the_training_keep_their_direction() -> None:
    psi, edits = Psi(PsiConfig(width=16)), torch.randn(3, 70)
    torch.testing.assert_close(psi.standardised(edits), edits)
    psi.reach.fill_(2.0)
    found = psi.standardised(edits)
    torch.testing.assert_close(found[:, 64:], edits[:, 64:])
    torch.testing.assert_close(found[:, :64], 2 * edits[:, :64] / edits[:, :64].norm(dim=1, keepdim=True))


def test_edits_need_a_map(tmp_path: Path) -> None:
    network = written(tmp_path / "net.safetensors", psi=False)
    assert load_psi(network) is None
    assert len(rendered(network, motion_of(network, 2, edited=False), 0)) == 2
    with pytest.raises(WeightsError, match="no map from coefficients to tokens"):
        rendered(network, motion_of(network, 2), 0)


def test_motion_of_another_network_is_refused(network: Path) -> None:
    with pytest.raises(InputError, match="tokens are of the network cccccccccccc, but this job renders with"):
        rendered(network, replace(motion_of(network, 2), network="c" * 64), 0)


def test_tokens_are_those_of_each_picture_alone(network: Path) -> None:
    pictures = [RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(5)]
    encoder = TokenEncoder(network)
    found = np.stack([*encoder.tokens(pictures)])
    net = load_any(network).net
    for picture, token in zip(pictures, found, strict=True):
        expected = net.token(torch.from_numpy(picture).permute(2, 0, 1)[None] / 127.5 - 1)
        np.testing.assert_allclose(token, expected[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(token, next(encoder.tokens([picture])))
    assert (encoder.side_pixels, encoder.network) == (64, identity_of(network))


def test_networks_of_other_tokens_or_kinds_are_refused(tmp_path: Path) -> None:
    other = written(tmp_path / "wide.safetensors", config=replace(PUBLISHED, token_size=16), psi=False)
    with pytest.raises(WeightsError, match="tokens of 16 numbers, but those of the motion space imf_tokens have 32"):
        load_any(other)
    save_tensors({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", {"kind": "landmarker"})
    with pytest.raises(WeightsError, match="a network of kind 'landmarker', expected imf or imf-compact"):
        load_any(tmp_path / "other.safetensors")
