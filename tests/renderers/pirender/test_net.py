"""The network against stored outputs of the published network."""

import csv
import os

import pytest
import torch
from torch import Tensor

from facepipe.bench.recipe import PIRENDER, filled_state
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.net import Pirender
from facepipe.renderers.pirender.warping import warped
from tests.fixtures import FOLDER, load_fixture
from tests.renderers.pirender.official import config_of_sidecar

# Tolerances.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
OUTPUTS = ("flow_field", "warp_image", "fake_image")


def fixture_net(name: str) -> tuple[Pirender, dict[str, Tensor]]:
    tensors, sidecar = load_fixture(name)
    net = Pirender(config_of_sidecar(sidecar["config"])).eval()
    state = {key.removeprefix("state."): value for key, value in tensors.items() if key.startswith("state.")}
    net.load_state_dict(state, strict=True)
    return net, tensors


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["pirender_small", "pirender_small_spect"])
def test_small_networks_equal_the_published_one(name: str, dtype: torch.dtype) -> None:
    net, tensors = fixture_net(name)
    stored = "output." if dtype == torch.float32 else "output64."
    with torch.inference_mode():
        made = net.to(dtype)(tensors["input.source"].to(dtype), tensors["input.driving"].to(dtype))
        latent = net.mapping_net(tensors["input.driving"].to(dtype))
    for output in OUTPUTS:
        assert (getattr(made, output) - tensors[stored + output]).abs().max() <= TOLERANCE[dtype], output
    assert (latent - tensors["aux.descriptor"].squeeze(2)).abs().max() <= 1e-5


def test_the_full_size_equals_the_published_one() -> None:
    tensors, sidecar = load_fixture("pirender_full_recipe")
    net = Pirender(config_of_sidecar(sidecar["config"])).eval()
    state = filled_state(net.state_dict(), sidecar["rules"])
    for key, values in sidecar["first_three_values"].items():
        assert state[key].flatten()[:3].tolist() == pytest.approx(values, rel=1e-6)
    net.load_state_dict(state)
    with torch.inference_mode():
        made = net(tensors["input.source"], tensors["input.driving"])
    for output in OUTPUTS:
        assert (getattr(made, output) - tensors[f"output.{output}"]).abs().max() <= 1e-4, output


def test_speed_is_measured_with_the_same_recipe() -> None:
    if "FIXTURES" in os.environ:
        pytest.skip("FIXTURES may name a folder with another recipe")
    assert [list(rule) for rule in PIRENDER] == load_fixture("pirender_full_recipe")[1]["rules"]


def test_keys_and_their_order_are_the_published_ones() -> None:
    table = FOLDER.parent / "specs/pirender_keys.tsv"
    if not table.is_file():
        pytest.skip(f"{table} does not exist")
    with table.open(encoding="utf-8") as file:
        published = [(row["key"], row["shape"]) for row in csv.DictReader(file, delimiter="\t")]
    with torch.device("meta"):
        own = Pirender(PirenderConfig()).state_dict()
    assert [(key, "x".join(map(str, value.shape))) for key, value in own.items()] == published


def small(**changes: int | bool) -> Pirender:
    torch.manual_seed(0)
    sizes = {"latent": 12, "warping_width": 4, "editing_width": 4, "widest": 12, **changes}
    return Pirender(PirenderConfig(**sizes)).eval()  # type: ignore[arg-type]


def test_the_unused_branch_is_never_run() -> None:
    net, picture, windows = small(), torch.rand(1, 3, 64, 64), torch.randn(1, 73, 27)
    with torch.inference_mode():
        before = net(picture, windows).fake_image
        for name, value in net.named_parameters():
            if ".conv1." in name or ".norm1." in name:
                value.fill_(torch.nan)
        assert torch.equal(net(picture, windows).fake_image, before)


def test_other_sizes_and_shapes() -> None:
    """Other depths and widths, pictures that are not square, longer windows, and the warp alone."""
    net = small(
        warping_encoder_layers=3, warping_decoder_layers=1, editing_layers=2, residual_blocks=1, mapping_layers=2
    )
    with torch.inference_mode():
        made = net(torch.rand(2, 3, 32, 64), torch.randn(2, 73, 19))
        alone = net(torch.rand(2, 3, 32, 64), torch.randn(2, 73, 25), edit=False)
    assert made.flow_field.shape == (2, 2, 8, 16)
    assert made.fake_image is not None
    assert made.fake_image.shape == made.warp_image.shape == (2, 3, 32, 64)
    assert alone.fake_image is None


def test_unsupported_sizes_are_refused() -> None:
    net = small()
    with pytest.raises(ValueError, match="32x32 pixels, expected multiples of 32 from 64"):
        net(torch.rand(1, 3, 32, 32), torch.randn(1, 73, 27))
    with pytest.raises(ValueError, match="96x80 pixels"):
        net(torch.rand(1, 3, 80, 96), torch.randn(1, 73, 27))
    with pytest.raises(ValueError, match="73 channels by 24 frames, expected 73 channels by at least 25"):
        net(torch.rand(1, 3, 64, 64), torch.randn(1, 73, 24))


def test_zero_flow_zooms_about_the_centre_and_darkens_the_border() -> None:
    """The effect of the two corner conventions of the published sampling, visible in a bright picture."""
    made = warped(torch.ones(1, 1, 256, 256), torch.zeros(1, 2, 64, 64))[0, 0]
    assert torch.allclose(made[3:-3, 3:-3], torch.ones(250, 250))
    assert made[0, 128] == pytest.approx(0.5, abs=0.05)
    assert made[0, 0] == pytest.approx(0.25, abs=0.05)
    ramp = torch.arange(256.0).expand(1, 1, 256, 256)
    across = warped(ramp, torch.zeros(1, 2, 64, 64))[0, 0, 128]
    assert across[100] - across[99] == pytest.approx(64 / 63, rel=1e-3)
    shifted = warped(ramp, torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 64, 64))[0, 0, 128]
    assert shifted[100] - across[100] == pytest.approx(4.0635, rel=1e-3)
