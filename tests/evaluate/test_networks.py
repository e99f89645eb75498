"""LPIPS, FID's features and embeddings: the arithmetic around networks, and how the networks get here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from facepipe import weights
from facepipe.cli import app
from facepipe.errors import WeightsError
from facepipe.evaluate.networks import RECOGNITION_PLACES, Networks, aligned, similarity
from facepipe.evaluate.perceptual import SCALE, SHIFT, Lpips, unit
from facepipe.face import topology as at
from facepipe.models.alexnet import LAYERS, AlexNetFeatures
from tests.evaluate.motions import moving_points


class Mean(nn.Module):
    """Features of a picture: the means of its channels."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        means = pictures.float().mean((2, 3))
        return means if return_features else means * 0


class Plain(nn.Module):
    """An embedding of a picture."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures[:, :, 56, 56]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    return tmp_path


def add(path: Path, name: str, *flags: str) -> str:
    result = CliRunner().invoke(app, ["weights", "add", name, str(path), *flags])
    return result.output if result.exit_code else ""


def test_lpips_of_a_trunk_that_shows_the_picture() -> None:
    """Two colours: half the squared distance of their directions, brought to the network's range first."""
    measure = Lpips(lambda pictures: [pictures], [torch.tensor([0.5, 0.5, 0.5])])
    colours = [torch.tensor([0.2, -0.4, 0.9]), torch.tensor([-0.3, 0.1, 0.5])]
    first, second = (colour.reshape(1, 3, 1, 1).expand(2, 3, 4, 4) for colour in colours)
    one, other = ((colour - torch.tensor(SHIFT)) / torch.tensor(SCALE) for colour in colours)
    expected = 0.5 * ((one / one.norm() - other / other.norm()) ** 2).sum()
    torch.testing.assert_close(measure.distance(first, second), expected.expand(2))
    torch.testing.assert_close(measure.distance(first, first), torch.zeros(2))


def test_maps_add_up_and_each_counts_by_its_mean() -> None:
    """A second map of another size adds its own distance, whatever its length in each place."""
    single = Lpips(lambda pictures: [pictures], [torch.ones(3)])
    double = Lpips(lambda pictures: [pictures, 7 * pictures[..., :2, :2]], [torch.ones(3), torch.ones(3)])
    torch.manual_seed(0)
    first, second = torch.rand(1, 3, 2, 2), torch.rand(1, 3, 2, 2)
    torch.testing.assert_close(double.distance(first, second), 2 * single.distance(first, second))


def test_channels_have_length_one() -> None:
    maps = unit(torch.randn(2, 5, 3, 3))
    torch.testing.assert_close(maps.pow(2).sum(1), torch.ones(2, 3, 3))
    assert not unit(torch.zeros(1, 5, 1, 1)).isnan().any()


def test_alexnet_is_named_and_shaped_as_torchvisions() -> None:
    names = [name for name in AlexNetFeatures().state_dict() if name.endswith("weight")]
    assert names == [f"features.{place}.weight" for place in (0, 3, 6, 8, 10)]
    maps = AlexNetFeatures()(torch.zeros(1, 3, 224, 224))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (64, 55, 55),
        (192, 27, 27),
        (384, 13, 13),
        (256, 13, 13),
        (256, 13, 13),
    ]


def test_nothing_registered_is_said_and_nothing_fails(folder: Path) -> None:
    networks = Networks()
    assert (networks.lpips, networks.features, networks.embed) == (None, None, None)
    assert set(networks.missing) == {"lpips", "fid", "identity", "bfm"}
    assert all("facepipe weights add" in remedy for remedy in networks.missing.values())


def test_networks_are_added_and_measure(folder: Path) -> None:
    """A checkpoint of AlexNet, the shares of LPIPS and two scripts, brought in by the command that users have."""
    torch.manual_seed(0)
    trunk = {**AlexNetFeatures().state_dict(), "classifier.1.weight": torch.zeros(2, 2)}
    torch.save(trunk, folder / "alexnet-owt-7be5be79.pth")
    torch.save(
        {f"lin{n}.model.1.weight": torch.ones(1, row[0], 1, 1) for n, row in enumerate(LAYERS)}, folder / "alex.pth"
    )
    torch.jit.script(Mean()).save(str(folder / "inception-2015-12-05.pt"))  # type: ignore[no-untyped-call]
    torch.jit.script(Plain()).save(str(folder / "recognition.pt"))  # type: ignore[no-untyped-call]
    for name in ("alexnet", "lpips", "inception"):
        assert add(folder / weights.THIRD_PARTY[name].file, name, "--unchecked") == ""
    networks = Networks()
    assert set(networks.missing) == {"identity", "bfm"}
    assert add(folder / "recognition.pt", "recognition") == ""
    networks = Networks()
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    assert networks.lpips is not None
    assert networks.features is not None
    assert networks.embed is not None
    assert networks.lpips(picture, picture) == pytest.approx(0, abs=1e-6)
    assert networks.lpips(picture, 255 - picture) > 0.01
    np.testing.assert_allclose(networks.features(picture), picture.mean((0, 1)), rtol=1e-5)
    assert np.linalg.norm(networks.embed(picture, moving_points(1)[0] / 3)) == pytest.approx(1)


def test_files_of_another_kind_are_refused(folder: Path) -> None:
    torch.save({"a": torch.zeros(1)}, folder / "inception-2015-12-05.pt")
    assert "expected a TorchScript" in add(folder / "inception-2015-12-05.pt", "inception")
    (folder / "recognition.pt").write_bytes(b"no archive")
    assert "not a TorchScript archive" in add(folder / "recognition.pt", "recognition")
    torch.save({"features.0.weight": torch.zeros(1)}, folder / "alexnet.pth")
    torch.save({"lin0.model.1.weight": torch.zeros(1)}, folder / "alex.pth")
    assert add(folder / "alexnet.pth", "alexnet", "--unchecked") + add(folder / "alex.pth", "lpips") == ""
    with pytest.raises(WeightsError, match="are not the networks of LPIPS"):
        Networks()


def test_a_script_that_wants_something_else_is_named(folder: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 2)

        def forward(self, rows: Tensor) -> Tensor:
            return self.layer(rows)  # type: ignore[no-any-return]

    torch.jit.script(Odd()).save(str(folder / "recognition.pt"))  # type: ignore[no-untyped-call]
    assert add(folder / "recognition.pt", "recognition") == ""
    networks = Networks()
    assert networks.embed is not None
    with pytest.raises(WeightsError, match="does not accept pictures of shape"):
        networks.embed(np.zeros((64, 64, 3), np.uint8), moving_points(1)[0] / 4)


def test_faces_are_laid_on_the_recognition_networks_places() -> None:
    """A turned, scaled and shifted set of the places finds its way back; the eyes of a face come to lie at theirs."""
    places = np.array(RECOGNITION_PLACES)
    turn = 1.7 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    back = similarity(places @ turn.T + (20, 30), places)
    np.testing.assert_allclose((places @ turn.T + (20, 30)) @ back[:, :2].T + back[:, 2], places, atol=1e-8)
    points = moving_points(1)[0]
    picture = np.zeros((256, 256, 3), np.uint8)
    for eye in (at.RIGHT_EYE, at.LEFT_EYE):
        x, y = points[list(eye), :2].mean(0).astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    found = np.argwhere(aligned(picture, points)[..., 0] > 128).mean(0)
    np.testing.assert_allclose(found[::-1], places[:2].mean(0), atol=4)
