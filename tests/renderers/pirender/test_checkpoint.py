"""Published checkpoints, with random weights, added by the command line."""

from pathlib import Path
from typing import Any

import pytest
import torch

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.renderers.pirender.checkpoint import config_of, load_pirender, read_official
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.net import Pirender
from tests.pipeline.scene import run

SMALL = PirenderConfig(latent=8, warping_width=4, editing_width=4, widest=12)
OTHERS = [
    SMALL,
    PirenderConfig(),
    PirenderConfig(latent=10, warping_width=2, editing_width=6, widest=24, spectral_norm=True, residual_blocks=1),
    PirenderConfig(
        latent=8,
        warping_width=4,
        editing_width=4,
        mapping_layers=1,
        warping_encoder_layers=3,
        warping_decoder_layers=2,
        editing_layers=2,
    ),
]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))


def random_net(config: PirenderConfig = SMALL) -> Pirender:
    torch.manual_seed(3)
    return Pirender(config).eval().requires_grad_(False)


def published(state: dict[str, torch.Tensor], **more: Any) -> dict[str, Any]:
    """Return the content of a checkpoint of the authors' training."""
    wrapped = {f"module.{name}": torch.zeros_like(value) for name, value in state.items()}
    return {"net_G": wrapped, "net_G_ema": state, "current_epoch": 190, "current_iteration": 400_000, **more}


def same(one: Pirender, other: Pirender) -> bool:
    picture, windows = torch.rand(1, 3, 64, 64), torch.randn(1, 73, 27)
    with torch.inference_mode():
        made, expected = one(picture, windows).fake_image, other(picture, windows).fake_image
    assert made is not None
    return bool((made - expected).abs().max() <= 1e-5)


def test_the_published_checkpoint_is_added(tmp_path: Path) -> None:
    """In the published size: the average is used, the unused branch is dropped, and the registry has the space."""
    net, file = random_net(PirenderConfig()), tmp_path / "epoch_00190_iteration_000400000_checkpoint.pt"
    torch.save(published(net.state_dict(), opt_G={"state": {}, "param_groups": [{"lr": 1e-4}]}), file)
    outcome = run("weights", "add", "pirender", file)
    assert outcome.exit_code == 0, outcome.stderr
    entry = weights.lookup("pirender-official")
    assert (entry.space, entry.licence) == ("bfm", "CC-BY-NC-4.0")
    threads = torch.get_num_threads()
    back = load_pirender(weights.find("pirender-official").path)
    torch.set_num_threads(threads)
    assert back.config == PirenderConfig(unused_branch=False)
    assert len(back.state_dict()) == 304 - 48
    assert {value.dtype for value in back.state_dict().values()} == {torch.float32}
    given = net.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in back.state_dict().items())


@pytest.mark.parametrize("config", OTHERS, ids=["small", "paper", "spectral norm", "shallow"])
def test_the_config_is_inferred_from_shapes(config: PirenderConfig) -> None:
    with torch.device("meta"):
        state = Pirender(config).state_dict()
        found = Pirender(config_of(state)).state_dict()
    assert [(name, value.shape) for name, value in found.items()] == [
        (name, value.shape) for name, value in state.items() if ".conv1." not in name and ".norm1." not in name
    ]


def test_spectral_norms_are_folded(tmp_path: Path) -> None:
    net = random_net(OTHERS[2])
    torch.save({f"module.{name}": value for name, value in net.state_dict().items()}, tmp_path / "bare.pt")
    converted = read_official(tmp_path / "bare.pt")
    assert not [name for name in converted.tensors if name.endswith(("_orig", "_u", "_v"))]
    back = Pirender(PirenderConfig(**{**vars(net.config), "spectral_norm": False, "unused_branch": False})).eval()
    back.load_state_dict(dict(converted.tensors))
    assert same(back, net)


def test_a_checkpoint_without_the_unused_branch_is_complete(tmp_path: Path) -> None:
    state = random_net().state_dict()
    used = {name: value for name, value in state.items() if ".conv1." not in name and ".norm1." not in name}
    torch.save({"net_G_ema": used}, tmp_path / "lean.pt")
    assert set(read_official(tmp_path / "lean.pt").tensors) == set(used)


def test_the_error_lists_differences_by_kind(tmp_path: Path) -> None:
    state = dict(random_net().state_dict())
    for number in range(4):
        state[f"discriminator.{number}"] = torch.zeros(1)
    del state["mapping_net.encoder1.1.weight"]
    state["warpping_net.flow_out.2.weight"] = torch.zeros(2, 3, 7, 7)
    torch.save({"net_G_ema": state}, tmp_path / "odd.pt")
    outcome = run("weights", "add", "pirender", tmp_path / "odd.pt")
    assert outcome.exit_code == 3
    for words in (
        "odd.pt",
        "lacks mapping_net.encoder1.1.weight",
        "discriminator.0, discriminator.1, discriminator.2 and 1 more",
        "flow_out.2.weight of shape (2, 3, 7, 7), expected (2, 24, 7, 7)",
    ):
        assert words in outcome.stderr
    assert "pirender-official" not in weights.registered()


@pytest.mark.parametrize("content", [{"net_G": {}, "current_epoch": 1}, {"net_recon": {"a": torch.zeros(1)}}])
def test_other_checkpoints_are_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"other\.pt has no tensors by name .it contains net_"):
        read_official(tmp_path / "other.pt")


def test_the_error_for_a_missing_weight_says_where_it_is() -> None:
    with pytest.raises(WeightsError) as caught:
        weights.lookup("pirender-official")
    assert "epoch_00190_iteration_000400000_checkpoint.pt" in str(caught.value)
    assert "facepipe weights add pirender" in str(caught.value)
