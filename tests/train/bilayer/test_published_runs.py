"""Runs of the published training: resumed, refused and completed ones, and the weight that comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.renderers.bilayer import renderer
from facepipe.renderers.bilayer.checkpoint import read_official
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.published import Bilayer, load_bilayer
from facepipe.rendering.spec import NETWORK
from tests.pipeline.scene import run
from tests.renderers.bilayer.networks import person
from tests.renderers.bilayer.small import motion, portrait
from tests.train.pirender.test_official import dataset as make_dataset
from tests.train.pirender.test_pairs import SIDE, clip

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
from facepipe.train.bilayer import command
from facepipe.train.bilayer.mattes import Mattes, build_mattes
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import save, train
from tests.train.bilayer.test_compact import Halves
from tests.train.bilayer.tiny import RECIPE, TINY, changed, perceptual, training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="module")
def cache(folder: Path) -> FrameCache:
    return build_frame_cache([clip(0), clip(1, 5), clip(2, 3)], folder, SIDE)


@pytest.fixture(scope="module")
def mattes(folder: Path, cache: FrameCache) -> Mattes:
    return build_mattes(folder, cache, Halves())  # type: ignore[arg-type]


def assert_same(one: Any, other: Any) -> None:
    """Compare the contents of two checkpoints bit for bit."""
    if isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, list):
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    else:
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def halves(args: Any, caches: Any) -> tuple[Mattes, Mattes]:
    train, unseen = (
        build_mattes(args.cache / split, frames, Halves())  # type: ignore[arg-type]
        for split, frames in zip(command.SPLITS, caches, strict=True)
    )
    return train, unseen


def test_a_resumed_run_equals_an_uninterrupted_one(cache: FrameCache, mattes: Mattes, tmp_path: Path) -> None:
    """Bit for bit: networks, discriminator, optimisers and the networks ready for use."""
    whole = training(cache, mattes)
    train(whole, tmp_path / "whole", whole.fabric)
    first = training(cache, mattes, images=2, evaluate_images=1000)
    train(first, tmp_path / "parts", first.fabric)
    second = training(cache, mattes)
    train(second, tmp_path / "parts", second.fabric)
    assert second.run.images == whole.run.images == second.run.measured_images == 4
    one, other = (torch.load(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert_same(one, other)
    assert changed(second.run.net, {**second.run.mean.module.state_dict()}) >= {
        name for name, _ in second.run.net.named_buffers() if name.endswith("running_var")
    }


def test_runs_of_other_stages_and_sizes_are_refused(cache: FrameCache, mattes: Mattes, tmp_path: Path) -> None:
    base, other = tmp_path / "base", training(cache, mattes, "enhancer")
    save(training(cache, mattes).run, base / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"is of the stage base, expected enhancer: give another --out"):
        train(other, base, other.fabric)
    path = base / "checkpoint.pt"
    small = training(cache, mattes)
    small.run.config = replace(small.run.config, inference_width=8, inference_widest=16)
    with pytest.raises(WeightsError, match=r"generator of 4 to 8 channels\), expected 8 to 16: give the --size"):
        small.run.resume(path)
    torch.save({"net": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="is not a checkpoint of `facepipe train bilayer --network published`"):
        small.run.start_at(tmp_path / "checkpoint.pt")


def test_a_run_without_statistics_is_completed(cache: FrameCache, mattes: Mattes, tmp_path: Path) -> None:
    """Before the first evaluation its networks are refused. The command completes a run at its end."""
    found = training(cache, mattes)
    save(found.run, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"no standing statistics .* --images 1"):
        read_official(tmp_path)
    found.run.images = 2
    found.complete(tmp_path)
    assert read_official(tmp_path).notes == (
        f"{tmp_path / 'checkpoint.pt'} has no texture enhancer (--stage enhancer trains one): "
        "textures are not enhanced",
    )
    found.run.images = 6
    save(found.run, tmp_path / "checkpoint.pt")
    assert "are those after 2 images of 6" in read_official(tmp_path / "checkpoint.pt").notes[0]


def test_both_stages_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a data set to a weight that renders, with the textures of the trained enhancer."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(command, "mattes_of", lambda args, _, caches: halves(args, caches))
    monkeypatch.setattr(command, "open_vgg19", lambda *, average: perceptual().vgg)
    monkeypatch.setattr(BilayerConfig, "of", classmethod(lambda cls, size: TINY))
    monkeypatch.setattr(command, "PublishedRecipe", lambda *args, **options: replace(RECIPE, workers=0))
    common = ["--dataset", make_dataset(tmp_path / "set"), "--cache", tmp_path / "cache", "--network", "published"]
    stages_ = (["--out", tmp_path / "base"], ["--out", tmp_path / "run", "--stage", "enhancer", "--begin-with"])
    command.main([*map(str, common), *map(str, stages_[0])])
    command.main([*map(str, common), *map(str, stages_[1]), str(tmp_path / "base/checkpoint.pt")])
    outcome = run("weights", "add", "bilayer", tmp_path / "run", "--name", "mine")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    entry = weights.lookup("mine")
    assert (entry.space, entry.licence, entry.page) == ("keypoints68", "unknown", "")
    threads = torch.get_num_threads()
    loaded = load_bilayer(weights.find("mine").path)
    torch.set_num_threads(threads)
    assert loaded.config == TINY
    trained = torch.load(tmp_path / "run/checkpoint.pt")
    net = Bilayer(replace(TINY, spectral_norm=True)).eval()
    net.load_state_dict(
        {name.removeprefix("module."): one for name, one in trained["mean"].items() if name != "n_averaged"}
    )
    given = person(1)
    torch.testing.assert_close(
        loaded.texture(loaded.embed(*given), given[0], given[2]), net.texture(net.embed(*given), given[0], given[2]),
        atol=1e-4, rtol=1e-3,
    )  # fmt: skip
    files = {NETWORK: weights.find("mine").path}
    frames = list(renderer.open_renderer(files, portrait(), prior=None, prepared=None, compiled=False)(motion(2), 0, 2))
    assert frames[0].shape == (128, 128, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stage", "enhancer", "--network", "published"], "give --begin-with RUN/checkpoint.pt"),
        (["--size", "small"], "--size is an option of --network published"),
        (["--batch", "6"], "give a multiple of 4"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"--{name}={tmp_path / name}" for name in ("dataset", "cache", "out")]
    with pytest.raises(SystemExit) as ended:
        command.main([*places, *options])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_error_without_vgg_gives_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes before anything is unpacked."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "none"))
    places = [f"--{name}={tmp_path / name}" for name in ("dataset", "cache", "out")]
    outcome = run("train", "bilayer", *places, "--network", "published")
    assert outcome.exit_code == 3
    assert "facepipe weights add vgg19" in outcome.stderr
    assert not (tmp_path / "cache").exists()
