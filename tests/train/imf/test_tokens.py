"""Training of E_T: what tokens mean, how frames vary, and that it learns."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from facepipe.renderers.imf.compact.motion import TokenEncoder
from facepipe.train.imf.beginning import basis_of, point_targets, regress, weighted
from facepipe.train.imf.tokens import Faces, TokenRecipe, begin_tokens, train_tokens, varied_frame
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.points import point_loss
from tests.face.faces import face_model
from tests.renderers.imf.test_compact_net import TINY
from tests.train.imf.test_compact import SIDE, clip, landmarker


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    return build_frame_cache([clip(0, 12), clip(1, 12)], tmp_path_factory.mktemp("tokens") / "cache", SIDE)


def targets_of(cache: FrameCache) -> torch.Tensor:
    return point_targets(torch.from_numpy(np.array(cache.points)), SIDE)


def test_tokens_tell_landmarks(cache: FrameCache) -> None:
    """With as many components as frames, head and tokens are inverse; tokens have mean 0 and variance 1."""
    targets = targets_of(cache)
    basis = basis_of(targets, len(targets) - 1)
    tokens = basis.tokens(targets)
    torch.testing.assert_close(tokens.mean(0), torch.zeros(len(targets) - 1), atol=1e-2, rtol=0)
    torch.testing.assert_close(tokens.square().mean(0), torch.ones(len(targets) - 1), atol=1e-2, rtol=0)
    weight, bias = basis.head()
    torch.testing.assert_close((tokens @ weight.T + bias).view_as(targets), targets, atol=1e-4, rtol=0)


def test_few_components_are_the_best_of_their_number(cache: FrameCache) -> None:
    """Their error is that of the singular values left out."""
    targets = targets_of(cache)
    basis = basis_of(targets, 4)
    rows = weighted(targets)
    left = rows - basis.mean - basis.tokens(targets) @ basis.axes
    rest = torch.linalg.svdvals(rows - rows.mean(0))[4:]
    torch.testing.assert_close(left.square().sum(), rest.square().sum(), rtol=1e-3, atol=1e-4)


def test_regression_is_that_of_the_features(cache: FrameCache) -> None:
    """With more features than frames it hits all tokens."""
    torch.manual_seed(0)
    encoder = TokenEncoder(TINY)
    frames = torch.randint(0, 256, (6, 3, SIDE, SIDE), dtype=torch.uint8)
    wanted = torch.randn(6, 8) + 3
    regress(encoder, frames, wanted)
    found = encoder(frames / 127.5 - 1).detach()
    torch.testing.assert_close(found.mean(0), wanted.mean(0), atol=1e-3, rtol=1e-3)
    assert torch.corrcoef(torch.stack([found[:, 0], wanted[:, 0]]))[0, 1] > 0.5


def test_points_move_with_the_frame(cache: FrameCache) -> None:
    """A dot painted on a landmark stays on it, whatever is done to the frame."""
    random, picture = np.random.default_rng(0), np.zeros((SIDE, SIDE, 3), np.uint8)
    points = np.asarray(cache.points[0])
    nose = points[4, :2].round().astype(int)
    picture[nose[1] - 1 : nose[1] + 2, nose[0] - 1 : nose[0] + 2] = 255
    for _ in range(20):
        frame, moved = varied_frame(picture, points, face_model(), random)
        bright = frame.sum(0).float()
        bright = (bright - bright.median()).clamp(min=0)
        across = (bright.sum(0) * torch.arange(SIDE)).sum() / bright.sum()
        down = (bright.sum(1) * torch.arange(SIDE)).sum() / bright.sum()
        assert np.hypot(float(across - moved[4, 0]), float(down - moved[4, 1])) < 1.5


def test_training_improves_tokens(cache: FrameCache) -> None:
    """Their landmarks come nearer to the true ones, in frames varied as in training."""
    torch.manual_seed(0)
    encoder = TokenEncoder(TINY)
    encoder.features.load_state_dict(landmarker().features.state_dict())
    basis = begin_tokens(encoder, cache, face_model(), [0, 1], 8)
    stream = iter(Faces(cache, face_model(), [0, 1], 9))
    frames, points = (torch.stack(part) for part in zip(*(next(stream) for _ in range(48)), strict=True))
    targets, (weight, bias) = point_targets(points, SIDE), basis.head()

    def error() -> float:
        with torch.no_grad():
            found = encoder(frames / 127.5 - 1) @ weight.T + bias
            return float(point_loss(found.view_as(targets), targets).mean())

    before = error()
    faces = Faces(cache, face_model(), [0, 1], 0)
    train_tokens(encoder, basis, faces, TokenRecipe(images=960, batch=16, peak_rate=3e-3, warm_up=5), nullcontext)
    assert error() < 0.93 * before
