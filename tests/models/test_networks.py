"""Shapes of the networks, folding of batch norms, and saving and loading."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from facepipe import weights
from facepipe.checkpoint import load_network, save_network
from facepipe.errors import WeightsError
from facepipe.models.blocks import InvertedResidual, fold_norms, unfold_norms
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.models.landmarker import Landmarker, LandmarkerConfig

SMALL_DETECTOR = DetectorConfig(widths=(8, 12, 16), depths=(1, 1, 2))
SMALL_LANDMARKER = LandmarkerConfig(size_pixels=64, widths=(8, 12, 16), depths=(1, 1, 1), head_channels=8, code=24)


def with_statistics(net: nn.Module) -> nn.Module:
    """Give the batch norms non-trivial statistics and weights, as after training."""
    torch.manual_seed(0)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
    return net.eval()


def outputs(net: nn.Module, pictures: Tensor) -> list[Tensor]:
    with torch.inference_mode():
        return [part.float() for part in net(pictures)]


@pytest.mark.parametrize(("height", "width"), [(64, 96), (32, 32)])
def test_the_detector_maps_every_eighth_pixel(height: int, width: int) -> None:
    """One score and four distances per cell, for any size divisible by 32."""
    found = Detector(SMALL_DETECTOR).eval()(torch.zeros(2, 3, height, width))
    assert found.score_logit.shape == (2, height // 8, width // 8)
    assert found.box_log.shape == (2, 4, height // 8, width // 8)


@pytest.mark.parametrize("size", [64, 128])
def test_the_landmarker_gives_points_and_a_score(size: int) -> None:
    """478 points and one logit per crop of the configured size."""
    config = LandmarkerConfig(**vars(SMALL_LANDMARKER) | {"size_pixels": size})
    found = Landmarker(config).eval()(torch.zeros(3, 3, size, size))
    assert found.points.shape == (3, 478, 3)
    assert found.face_logit.shape == (3,)


def test_an_inverted_residual_has_a_skip_connection() -> None:
    """With a zero weight in its last norm an inverted residual is the identity."""
    block = InvertedResidual(6, expansion=2).eval()
    last = block.body[-1]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
    x = torch.randn(2, 6, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_unfolded_norms_preserve_the_output() -> None:
    """A network whose folded norms are restored gives the same output, in eval mode and in training mode."""
    torch.manual_seed(1)
    trained, pictures = with_statistics(Landmarker(SMALL_LANDMARKER)), torch.rand(6, 3, 64, 64) * 2 - 1
    wanted = outputs(trained, pictures)
    again = Landmarker(SMALL_LANDMARKER)
    unfold_norms(again, fold_norms(trained).state_dict(), pictures)
    for given, found in zip(wanted, outputs(copy.deepcopy(again).eval(), pictures), strict=True):
        torch.testing.assert_close(found, given, atol=1e-4, rtol=1e-4)
    # In training mode the norms use the statistics of the batch, which are the ones they were given.
    for given, found in zip(wanted, outputs(again.train(), pictures), strict=True):
        torch.testing.assert_close(found, given, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    "net", [Detector(SMALL_DETECTOR), Landmarker(SMALL_LANDMARKER)], ids=["detector", "landmarker"]
)
def test_folded_norms_preserve_the_output(net: nn.Module) -> None:
    """Folded and unfolded networks agree to 1e-5, and no batch norm is left."""
    net, pictures = with_statistics(net), torch.randn(2, 3, 64, 64)
    folded = fold_norms(copy.deepcopy(net))
    assert any(isinstance(part, nn.BatchNorm2d) for part in net.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    for before, after in zip(outputs(net, pictures), outputs(folded, pictures), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_a_saved_network_is_loaded_again(tmp_path: Path) -> None:
    """The file contains the sizes; the loaded network gives the same output to half precision."""
    net, pictures = with_statistics(Detector(SMALL_DETECTOR)), torch.randn(1, 3, 64, 64)
    before = outputs(net, pictures)
    save_network(copy.deepcopy(net), tmp_path / "deep/er/net.safetensors", kind="detector")
    back = load_network(tmp_path / "deep/er/net.safetensors", "detector", Detector, DetectorConfig)
    assert back.config == SMALL_DETECTOR
    assert not any(value.requires_grad for value in back.parameters())
    dtype = next(back.parameters()).dtype
    rough = 0.02 if dtype == torch.float32 else 0.1
    for one, other in zip(before, outputs(back, pictures.to(dtype)), strict=True):
        torch.testing.assert_close(other, one, rtol=rough, atol=rough)


def test_a_wrong_kind_and_an_unreadable_file_are_refused(tmp_path: Path) -> None:
    """The error names what came and what was expected, or that the file cannot be read."""
    save_network(Detector(SMALL_DETECTOR), tmp_path / "net.safetensors", kind="detector")
    with pytest.raises(WeightsError, match="'detector', expected 'landmarker'"):
        load_network(tmp_path / "net.safetensors", "landmarker", Landmarker, LandmarkerConfig)
    (tmp_path / "text.safetensors").write_bytes(b"no tensors here")
    for name in ("text", "missing"):
        with pytest.raises(WeightsError, match=f"{name}.safetensors is not a readable"):
            load_network(tmp_path / f"{name}.safetensors", "detector", Detector, DetectorConfig)


@pytest.mark.parametrize(
    "header", [{}, {"config": "{"}, {"config": '{"colour": 1}'}, {"config": '{"widths": [8, 8, 8]}'}]
)
def test_a_file_whose_header_does_not_fit_is_refused(header: dict[str, str], tmp_path: Path) -> None:
    """A config that is missing, invalid, unknown or of another size raises WeightsError."""
    from safetensors.torch import load_file, save_file

    save_network(Detector(SMALL_DETECTOR), tmp_path / "net.safetensors", kind="detector")
    save_file(load_file(tmp_path / "net.safetensors"), tmp_path / "bad.safetensors", {"kind": "detector"} | header)
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        load_network(tmp_path / "bad.safetensors", "detector", Detector, DetectorConfig)


def test_the_embedded_networks_are_small_and_load_strictly() -> None:
    """Detector and landmarker together are smaller than 6 MB, and their tensors match their configs."""
    files = {name: weights.find(name).path for name in ("detector", "landmarker")}
    assert sum(path.stat().st_size for path in files.values()) < 6e6
    load_network(files["detector"], "detector", Detector, DetectorConfig)
    load_network(files["landmarker"], "landmarker", Landmarker, LandmarkerConfig)
    for name, path in files.items():
        with safe_open(path, framework="pt") as file:
            assert file.metadata()["kind"] == name
            assert json.loads(file.metadata()["config"])
