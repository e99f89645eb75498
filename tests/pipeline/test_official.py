"""Weights of others, added as a user adds them: what is kept, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from scipy.io import savemat

from facepipe import weights
from facepipe.face.bfm.model import load_bfm
from facepipe.face.bfm.network import Regressor
from facepipe.media.decode import decode_frames
from facepipe.media.probe import probe_video
from facepipe.models.deep3d import CoefficientNetwork, Deep3dConfig
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.spaces import bfm
from facepipe.spaces.files import load_coefficients
from facepipe.weights.conversion import read_checkpoint
from tests.face.bfm.invented import TRUE_SIZES, invented_model
from tests.pipeline.official_weights import add_pirender
from tests.pipeline.scene import Scene, ffmpeg, run


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))


@pytest.fixture(scope="module")
def network() -> CoefficientNetwork:
    """A network of the published size with random weights."""
    torch.manual_seed(0)
    net = CoefficientNetwork(Deep3dConfig()).eval()
    for layer in net.final_layers:
        torch.nn.init.normal_(layer.weight, 0, 0.02)  # type: ignore[arg-type]
    return net


def published(net: CoefficientNetwork, **more: Any) -> dict[str, Any]:
    """What epoch_20.pth holds."""
    return {"net_recon": {f"module.{name}": value for name, value in net.state_dict().items()}, **more}


def test_the_network_comes_in_and_says_the_same(tmp_path: Path, network: CoefficientNetwork) -> None:
    """Whatever lies beside it in the file is not looked at; the folded network agrees with the one that was given."""
    file = tmp_path / "epoch_20.pth"
    torch.save(published(network, opt_00={"state": {}, "param_groups": [{"lr": 1e-4}]}, sched_00={"a": 1}), file)
    outcome = run("weights", "add", "deep3d", file)
    assert outcome.exit_code == 0, outcome.stderr
    entry = weights.lookup("deep3d")
    assert (entry.space, entry.file) == ("bfm", "deep3d.safetensors")
    assert "epoch_20.pth, sha256 " in entry.source
    squares = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    threads = torch.get_num_threads()
    found = Regressor(weights.find("deep3d").path).estimate(list(squares))
    torch.set_num_threads(threads)
    with torch.inference_mode():
        expected = network(torch.from_numpy(squares).permute(0, 3, 1, 2) / 255)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    with safe_open(weights.find("deep3d").path, framework="numpy") as kept:
        assert not any("bn" in name or "running" in name for name in kept.keys())  # noqa: SIM118


def test_the_face_model_comes_in(tmp_path: Path) -> None:
    """Under its name, with its basis and licence."""
    savemat(tmp_path / "BFM_model_front.mat", invented_model())
    outcome = run("weights", "add", "bfm", tmp_path / "BFM_model_front.mat")
    assert outcome.exit_code == 0, outcome.stderr
    assert (weights.lookup("bfm").space, weights.lookup("bfm").licence) == ("bfm", "BFM 2009")
    assert load_bfm(weights.find("bfm").path).mean.shape == (80, 3)
    assert run("weights", "verify").exit_code == 0


def test_a_safetensors_file_of_the_same_state_will_do(tmp_path: Path) -> None:
    """Whoever has converted it already need not go back."""
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, tmp_path / "x.safetensors")
    assert torch.equal(read_checkpoint(tmp_path / "x.safetensors", "net_recon")["a"], torch.ones(2))


@pytest.mark.parametrize("kind", ["alexnet", "vgg19"])
def test_a_file_that_says_how_its_digest_begins_is_held_to_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one comes in as one's own only, and is not said to be from there."""
    weight = weights.THIRD_PARTY[kind]
    file = tmp_path / weight.file
    assert f"-{weight.sha256_start}." in weight.file
    torch.save({"features.0.weight": torch.zeros(1)}, file)
    given = hashlib.sha256(file.read_bytes()).hexdigest()
    outcome = run("weights", "add", kind, file)
    assert outcome.exit_code == 3
    for told in (str(file), f"begins with {weight.sha256_start}", f"got {given}", weight.url, "--unchecked"):
        assert told in outcome.stderr
    assert kind not in weights.registered()
    assert run("weights", "add", kind, file, "--unchecked").exit_code == 0
    assert weights.lookup(kind).page == ""
    monkeypatch.setitem(weights.THIRD_PARTY, kind, replace(weight, sha256_start=given[:8]))
    assert run("weights", "add", kind, file).exit_code == 0
    assert weights.lookup(kind).page == weight.url
    assert given in weights.lookup(kind).source


def test_the_page_of_what_was_added_is_kept(tmp_path: Path) -> None:
    """Of what is converted and of what is not; nothing is fetched from there, for it has another digest."""
    torch.save({"lin0.model.1.weight": torch.zeros(1)}, tmp_path / "alex.pth")
    torch.jit.script(torch.nn.Identity()).save(str(tmp_path / "i.pt"))  # type: ignore[no-untyped-call]
    for kind, file in (("lpips", "alex.pth"), ("inception", "i.pt")):
        assert run("weights", "add", kind, tmp_path / file).exit_code == 0
        assert (weights.lookup(kind).page, weights.lookup(kind).url) == (weights.THIRD_PARTY[kind].url, "")
        (listed,) = [one for one in run("weights", "list", "--json").events if one["name"] == kind]
        assert listed["page"] == weights.THIRD_PARTY[kind].url
        assert listed["sha256"] == weights.find(kind).sha256


@pytest.mark.slow
def test_all_of_the_published_sizes_draw_frames(
    scene: Scene, tmp_path: Path, network: CoefficientNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the three files as they are published to two frames: nothing on the way knows of small networks only."""
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    add_pirender(tmp_path, PirenderConfig())
    torch.save(published(network), tmp_path / "epoch_20.pth")
    model = {name: array.astype(np.float32) for name, array in invented_model(*TRUE_SIZES).items()}
    savemat(tmp_path / "BFM_model_front.mat", model)
    for name, file in (("deep3d", "epoch_20.pth"), ("bfm", "BFM_model_front.mat")):
        outcome = run("weights", "add", name, tmp_path / file)
        assert outcome.exit_code == 0, outcome.stderr
    ffmpeg("-i", scene.driver, "-frames:v", "2", "-an", tmp_path / "driver.mp4")
    official = ("--space", "bfm", "--weights", "pirender-official", "--work", tmp_path / "work")
    outcome = run("reenact", scene.portrait, tmp_path / "driver.mp4", "-o", tmp_path / "out.mp4", *official)
    assert outcome.exit_code == 0, outcome.stderr
    info = probe_video(tmp_path / "out.mp4")
    frames = list(decode_frames(tmp_path / "out.mp4", info=info))
    assert [frame.shape for frame in frames] == [(256, 256, 3)] * 2
    made = [load_coefficients(path, space=bfm.SPACE) for path in (tmp_path / "work").glob("*/*/*/coefficients.npz")]
    assert sorted(len(found) for found in made) == [1, 2]
    assert all((found.residual > 0).all() for found in made)  # The face model took part.
    # Kept by pytest for a while as they are, they would be half a gigabyte.
    shutil.rmtree(tmp_path)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this ran",)


def small(net: CoefficientNetwork) -> dict[str, Any]:
    return CoefficientNetwork(Deep3dConfig(width=8)).state_dict()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda net: {"net_G_ema": {"a": torch.zeros(1)}}, ("has no tensors by name (it contains net_G_ema)",)),
        (lambda net: {"net_recon": small(net)}, ("of another network", "shape (8, 3, 7, 7), expected (64, 3, 7, 7)")),
        (lambda net: published(net)["net_recon"] | {"module.fc.bias": torch.zeros(1)}, ("has unexpected fc.bias",)),
        (
            lambda net: {"net_recon": dict(list(net.state_dict().items())[:-5])},
            ("lacks final_layers.4.bias", "and 2 more"),
        ),
        (lambda net: {"net_recon": Malice()}, ("without running its code",)),
    ],
    ids=["PIRender's", "small", "one more", "five fewer", "code"],
)
def test_other_checkpoints_are_refused(
    content: Any, words: tuple[str, ...], tmp_path: Path, network: CoefficientNetwork, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said what came; nothing runs and nothing is registered."""
    torch.save(content(network), tmp_path / "epoch_20.pth")
    outcome = run("weights", "add", "deep3d", tmp_path / "epoch_20.pth")
    assert outcome.exit_code == 3
    assert all(word in outcome.stderr for word in ("epoch_20.pth", *words)), outcome.stderr
    assert "this ran" not in capfd.readouterr().out
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("deep4d", "x.pth"), 2, ("'deep4d'", "deep3d", "fan-3d")),
        (("deep3d", "a", "b"), 2, ("expected [KIND] FILE",)),
        (("deep3d", "gone.pth"), 3, ("gone.pth", "No such file")),
        (("bfm", "gone.mat"), 3, ("gone.mat", "No such file")),
        (("deep3d", "gone.pth", "--name", "detector"), 3, ("ships with facepipe",)),
    ],
)
def test_requests_that_cannot_be_met(arguments: tuple[str, ...], code: int, words: tuple[str, ...]) -> None:
    """What came, what was expected."""
    outcome = run("weights", "add", *arguments)
    assert outcome.exit_code == code
    assert all(word in outcome.stderr for word in words), outcome.stderr
