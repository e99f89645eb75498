"""Random expressions and poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.models.expression_vae import ExpressionVae, ExpressionVaeConfig
from facepipe.motion.drawing import WEIGHT, interpolated_through, load_expression_vae, with_random_faces
from facepipe.motion.sliders import Draw, Edit
from facepipe.spaces.coefficients import Coefficients
from facepipe.train.expression_vae import save
from tests.face.faces import astronaut_portrait, face_model


@pytest.fixture(scope="module")
def source() -> Coefficients:
    return astronaut_portrait(128)[1]


def embedded() -> Path:
    return weights.find(WEIGHT).path


def test_samples_depend_on_the_seed() -> None:
    """A sample does not depend on the number of samples, nor on earlier ones."""
    vae = load_expression_vae(embedded())
    many, angles = vae.draw(5, range(1, 9))
    alone, _ = vae.draw(5, range(4, 5))
    assert many.shape == (8, 64)
    assert angles.shape == (8, 3)
    np.testing.assert_array_equal(many[3], alone[0])
    assert np.abs(vae.draw(6, range(1, 9))[0] - many).min(1).max() > 0.01
    assert len({row.tobytes() for row in many}) == 8


def test_samples_have_the_spread_of_real_faces() -> None:
    """Angles spread by some degrees, expressions by about one standard deviation, without outliers."""
    expression, angles = load_expression_vae(embedded()).draw(0, range(500))
    assert 3 < np.degrees(angles.std(0)).min() < np.degrees(angles.std(0)).max() < 25
    assert 0.2 < np.median(expression.std(0)) < 1.2
    assert np.abs(expression).max() < 8


def test_numpy_decoder_equals_torch(tmp_path: Path) -> None:
    """The statistics of latents and residuals in the file are also those of the rows."""
    torch.manual_seed(0)
    net, random = ExpressionVae(ExpressionVaeConfig()).eval(), np.random.default_rng(0)
    rows, mean, scale = random.normal(size=(200, 67)), random.normal(size=67), random.uniform(0.5, 2, 67)
    save(net, mean, scale, rows, tmp_path / "vae.safetensors")
    vae = load_expression_vae(tmp_path / "vae.safetensors")
    latents = random.normal(size=(7, 24))
    with torch.no_grad():
        expected = mean + scale * net.decoder(torch.tensor(latents, dtype=torch.float32)).double().numpy()
    np.testing.assert_allclose(np.concatenate(vae.decode(latents), axis=1), expected, atol=1e-4)
    with torch.no_grad():
        encoded = net.encode(torch.tensor((rows - mean) / scale, dtype=torch.float32)).mean.numpy()
    np.testing.assert_allclose(vae.latent_mean, encoded.mean(0), atol=1e-4)
    left = np.cov((rows - np.concatenate(vae.decode(encoded.astype(float)), axis=1)).T)
    np.testing.assert_allclose(vae.rest_root @ vae.rest_root.T, left, atol=1e-3)


def test_other_files_are_rejected(tmp_path: Path) -> None:
    save_file({"mean": torch.zeros(3)}, tmp_path / "other.safetensors", {"kind": "detector"})
    save_file({"mean": torch.zeros(3)}, tmp_path / "broken.safetensors", {"kind": "expression-vae"})
    for name, message in (("other", "not an expression-vae file"), ("broken", "not a readable expression-vae")):
        with pytest.raises(WeightsError, match=message):
            load_expression_vae(tmp_path / f"{name}.safetensors")


def test_random_faces_keep_identity_and_translation(source: Coefficients) -> None:
    made = with_random_faces(source, Draw(3, first=2, count=4), load_expression_vae(embedded()))
    assert len(made) == 4
    np.testing.assert_array_equal(made.identity, source.identity)
    np.testing.assert_array_equal(made.translation, np.repeat(source.translation[:1], 4, axis=0))
    assert np.abs(made.expression - source.expression[:1]).max(1).min() > 0.1


def test_interpolation_starts_at_the_source_and_passes_each_stop(source: Coefficients) -> None:
    """Stops are evenly spaced and eased: steps near a stop are smaller than those half way to it."""
    stops = with_random_faces(source, Draw(3, count=2), load_expression_vae(embedded()))
    clip = interpolated_through(source, stops, Edit(frames=21, fps="30000/1001", travels=True))
    assert (len(clip), str(clip.fps)) == (21, "30000/1001")
    for frame, expected in ((0, source.expression[0]), (10, stops.expression[0]), (20, stops.expression[1])):
        np.testing.assert_allclose(clip.expression[frame], expected, atol=1e-9)
    steps = np.linalg.norm(np.diff(clip.expression, axis=0), axis=1)
    assert steps[9] < 0.5 * steps[5]
    assert face_model().controls  # sliders can be applied to the clip
