"""Training of the map from coefficients to tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.errors import WeightsError
from facepipe.renderers.imf.loading import load_any
from facepipe.renderers.imf.psi import load_psi
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.train import release
from facepipe.train.imf.psi import Recipe, Samples, build, explained, samples_of, train
from facepipe.train.pirender.frame_cache import build_frame_cache, coefficients_of, fits_of
from facepipe.weights import embedded_folder
from tests.face.faces import face_model
from tests.renderers.imf.small import PUBLISHED, written
from tests.train.pirender.test_pairs import SIDE, clip


def lawful(seed: int, count: int, clips: int) -> Samples:
    """Return samples whose tokens are a law of the motion, with an offset for each clip."""
    random = torch.Generator().manual_seed(seed)
    law = torch.randn(70, 32, generator=torch.Generator().manual_seed(0)) / 8
    motion = torch.randn(count, 70, generator=random)
    number = np.sort(np.arange(count) % clips)
    offset = torch.randn(clips, 32, generator=random)[torch.from_numpy(number)]
    return Samples(2 * torch.tanh(motion @ law) + offset, motion, number)


def test_it_learns_the_law_of_the_tokens() -> None:
    recipe = Recipe(batch=128, steps=150)
    psi = train(lawful(1, 4000, 20), recipe)
    assert explained(psi, lawful(2, 1000, 5), count=2000) > 0.6


def test_couples_are_of_one_clip() -> None:
    samples = lawful(1, 30, 4)
    one, other = samples.couples(np.random.default_rng(0), 500)
    np.testing.assert_array_equal(samples.clip[one], samples.clip[other])
    assert set(one) == set(other) == set(range(30))
    assert set(samples.of([1, 3]).clip) == {1, 3}


def test_samples_hold_the_motion_of_their_frames(tmp_path: Path) -> None:
    """Those of the frames themselves; copies have another motion, but the same expression."""
    cache, model = build_frame_cache([clip(0), clip(1, 5)], tmp_path / "cache", SIDE), face_model()
    encoder = TokenEncoder(written(tmp_path / "net.safetensors"))
    found = samples_of(cache, encoder, model, Recipe(frames_per_clip=3, moved=1))
    assert list(found.clip) == [clip for clip in range(4) for _ in range(6)]
    own = [one for side in zip(*coefficients_of(cache, fits_of(cache, model)), strict=True) for one in side]
    for row, (group, frame) in {0: (0, 0), 4: (0, -1), 10: (1, -1), 22: (3, -1)}.items():
        part = group % 2
        there = np.flatnonzero(cache.valid[cache.clip(part)])[frame]
        np.testing.assert_allclose(found.motion[row, :64], own[group].expression[there], atol=1e-5)
        np.testing.assert_allclose(found.motion[row, 64:67], own[group].angles[there], atol=1e-5)
        np.testing.assert_allclose(found.motion[row, 67:], own[group].translation[there], atol=1e-5)
        torch.testing.assert_close(found.motion[row, :64], found.motion[row + 1, :64])
        assert (found.motion[row, 64:] - found.motion[row + 1, 64:]).abs().max() > 1e-3
        picture = np.array(cache.frames[cache.first[part] + there])
        token = next(encoder.tokens([picture[:, ::-1] if group > 1 else picture]))
        np.testing.assert_array_equal(found.tokens[row], token)


def test_the_map_is_written_beside_the_network(tmp_path: Path) -> None:
    network, out = written(tmp_path / "net.safetensors", psi=False), tmp_path / "with-psi.safetensors"
    build_frame_cache([clip(0), clip(1, 5)], tmp_path / "cache", SIDE)
    build(network, tmp_path / "cache", out, Recipe(frames_per_clip=3, steps=2, batch=8))
    assert load_psi(network) is None
    psi = load_psi(out)
    assert psi is not None
    assert float(psi.token_scale.std()) > 0
    pictures = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(load_any(out).net.token(pictures), load_any(network).net.token(pictures))
    build(out, tmp_path / "cache", tmp_path / "again.safetensors", Recipe(frames_per_clip=3, steps=2, batch=8))
    assert (tmp_path / "again.safetensors").read_bytes() == out.read_bytes()


def test_a_file_with_a_map_is_released_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(embedded_folder() / "registry.toml", tmp_path / "registry.toml")
    monkeypatch.setattr(release, "embedded_folder", lambda: tmp_path)
    network = written(tmp_path / "with-map.safetensors")
    path = release.release("imf-compact", network)
    assert path.read_bytes() == network.read_bytes()
    assert 'space = "imf_tokens"' in (tmp_path / "registry.toml").read_text("utf-8")
    assert release.release("imf-compact", path) == path
    other = written(tmp_path / "other.safetensors", config=PUBLISHED)
    with pytest.raises(WeightsError, match="a network of kind 'imf', expected 'imf-compact'"):
        release.release("imf-compact", other)
