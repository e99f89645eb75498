"""Fine-tuning for one person: frames from a clip or pictures, what is trained, what is kept, and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import load_network, save_network
from facepipe.errors import UsageError, WeightsError
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.renderers.bilayer.compact.renderer import KIND
from facepipe.train.bilayer.mattes import SIDE as MATTE_SIDE
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE, HeadPairs
from facepipe.train.bilayer.person_frames import parts_of
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import Recipe, train
from tests.face.faces import face_model
from tests.face.world import Figure
from tests.renderers.bilayer.compact.test_net import TINY
from tests.train.bilayer.test_person_frames import Filmed, filmed
from tests.train.pirender.test_pairs import clip

fabric_module = pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

from facepipe.train.bilayer import command, person, person_command  # noqa: E402 - they need the extra

SIDE = 160
SMALL = replace(TINY, side_pixels=SIDE)
LEVELS = 8


def test_the_end_of_a_long_clip_is_held_out(cache: FrameCache) -> None:
    """The last tenth of the frames with a face; none of a clip below two seconds."""
    long = replace(cache, valid=np.arange(101) > 0)
    seen, held_out = parts_of(long)
    assert (seen[0], seen[-1], held_out[0], held_out[-1]) == (1, 90, 91, 100)
    assert not len(parts_of(cache)[1])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    return build_frame_cache([clip(0, 8)], tmp_path_factory.mktemp("person"), SIDE)


@pytest.fixture(scope="module")
def somebody(cache: FrameCache) -> person.Person:
    mattes = np.zeros((8, MATTE_SIDE, MATTE_SIDE), np.uint8)
    mattes[:, 20:110, 20:110] = 255
    return person.Person(cache, mattes, np.array([0, 2, 3, 4, 5]), np.array([6, 7]))


@pytest.mark.parametrize("crossed", [False, True])
def test_the_pairs_of_one_person_come_in_fours(somebody: person.Person, *, crossed: bool) -> None:
    """Nobody's motion crosses theirs, and each source still has as many pairs as a batch expects."""
    stream = iter(HeadPairs(somebody.cache, somebody.mattes, face_model(), 1, crossed=crossed))
    for _ in range(2):
        pairs = [next(stream) for _ in range(PAIRS_OF_A_SOURCE)]
        assert all(torch.equal(one.source, pairs[0].source) for one in pairs)
        assert not any(one.crossed for one in pairs)


def test_training_does_not_see_the_held_out_frames(somebody: person.Person) -> None:
    """Pairs use the other frames, not mirrored; the judge's targets are the held-out ones."""
    pairs = person.PersonPairs(somebody, face_model(), 0)
    drawn = [pairs.drawn(np.random.default_rng(seed)) for seed in range(8)]
    assert all((number, flip) == (0, False) and rows is somebody.seen for number, flip, rows in drawn)
    truths = [torch.from_numpy(somebody.cache.frames[row].transpose(2, 0, 1).copy()) for row in somebody.held_out]
    for batch in person.judged_pairs(somebody, face_model()):
        assert len(batch.truth) == PAIRS_OF_A_SOURCE
        assert all(any(torch.equal(one, truth) for truth in truths) for one in batch.truth)


def training_at(folder: Path, somebody: person.Person, **recipe: Any) -> person.PersonTraining:
    torch.manual_seed(0)
    landmarker = Landmarker(LandmarkerConfig(widths=(8, 8), depths=(1, 1), size_pixels=32))
    options = {"batch": 4, "images": 8, "peak_rate": 1e-2, "warm_up_images": 1, "workers": 0, "evaluate_images": 8}
    fabric = fabric_module.Fabric(accelerator="cpu")
    net = CompactBilayerNet(SMALL).requires_grad_(False)
    folder.mkdir(exist_ok=True)
    return person.PersonTraining(
        Recipe(**(options | recipe)), fabric, somebody, face_model(), landmarker, net, folder / "person.safetensors"
    )


def test_a_run_changes_what_may_change(
    tmp_path: Path, somebody: person.Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The better moment becomes the weight, of the kind and the config of its base; the summary says how to use it."""
    training = training_at(tmp_path / "my run", somebody)
    before = {name: value.clone() for name, value in training.run.net.state_dict().items()}
    base = training.weight.read_bytes()
    monkeypatch.setattr(person, "metrics", lambda *_: {person.FIGURE: 99.0})
    train(training, tmp_path / "my run", training.fabric)
    for name, value in training.run.net.state_dict().items():
        if name.startswith(person.FROZEN):
            assert torch.equal(before[name], value), name
    for part in ("embedder.texture", "embedder.features", "generator.final"):
        assert not torch.equal(before[f"{part}.weight"], training.run.net.state_dict()[f"{part}.weight"]), part
    assert training.weight.read_bytes() != base
    net = load_network(training.weight, KIND, CompactBilayerNet, CompactBilayerConfig)
    assert net.config == SMALL
    text = person_command.summary(training, Path("base.safetensors"))
    assert "held-out frames: 99.00 dB" in text
    assert f"facepipe weights add '{training.weight}' --name my-run\n" in text
    assert "--renderer bilayer --weights my-run" in text
    assert "psnr result" in capsys.readouterr().out


def test_a_worse_network_is_not_kept(tmp_path: Path, somebody: person.Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weight stays that of the start, and the summary says so; a resumed run compares with it too."""
    training = training_at(tmp_path, somebody)
    base = training.weight.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(person, "metrics", lambda *_: {person.FIGURE: 0.0})
        train(training, tmp_path, training.fabric)
    assert training.weight.read_bytes() == base
    assert "No moment of the training was better than base.pt" in person_command.summary(training, Path("base.pt"))


def test_without_held_out_frames_the_newest_is_kept(
    tmp_path: Path, somebody: person.Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = training_at(tmp_path, somebody._replace(held_out=np.arange(0)))
    base = training.weight.read_bytes()
    monkeypatch.setattr(person, "metrics", lambda *_: {person.FIGURE: 0.0})
    train(training, tmp_path, training.fabric)
    assert training.weight.read_bytes() != base
    assert "too few to hold out" in person_command.summary(training, Path("base.pt"))


def test_the_time_limit_ends_a_run_with_a_checkpoint(tmp_path: Path, somebody: person.Person) -> None:
    """After the step that passes it; the same command goes on from there."""
    training = training_at(tmp_path, somebody, minutes=0, images=10**6)
    train(training, tmp_path, training.fabric)
    assert training.run.images == 4
    resumed = training_at(tmp_path, somebody, minutes=0, images=10**6)
    train(resumed, tmp_path, resumed.fabric)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["images"] == 8


def test_a_network_is_read_from_a_weight_or_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    save_network(CompactBilayerNet(TINY), path, kind=KIND)
    assert person.base_net(path).config == TINY
    state = CompactBilayerNet(CompactBilayerConfig()).state_dict()
    torch.save({"mean": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "checkpoint.pt")
    read = person.base_net(tmp_path / "checkpoint.pt")
    assert torch.equal(read.generator.final.weight, state["generator.final.weight"])
    save_network(CompactBilayerNet(TINY), path, kind="other")
    with pytest.raises(WeightsError, match="other"):
        person.base_net(path)


class Whole:
    """A matting network to which everything is person."""

    def __init__(self, *_: Any) -> None:
        pass

    def mattes(self, pictures: Any) -> Iterator[tuple[Any, NDArray[np.float32]]]:
        for picture in pictures:
            yield picture, np.ones(picture.shape[:2], np.float32)


def test_from_a_clip_to_a_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command with stub networks of the face: notes, figures before the training, the weight, and its two lines."""
    world = Filmed([[Figure(120 + number)] for number in range(6)])
    path, base, out = filmed(world, tmp_path / "clip.mp4"), tmp_path / "base.safetensors", tmp_path / "anna"
    save_network(CompactBilayerNet(SMALL), base, kind=KIND)
    landmarker = Landmarker(LandmarkerConfig(widths=(8, 8), depths=(1, 1), size_pixels=32))
    stubs = {
        "find_weights": lambda *names: {name: SimpleNamespace(path=Path(name)) for name in names},
        "Detector": lambda _: world,
        "FaceLandmarker": lambda _: world,
        "load_face_model": lambda _: face_model(),
        "Matting": Whole,
        "load_network": lambda *_, **__: landmarker,
    }
    for name, stub in stubs.items():
        monkeypatch.setattr(person_command, name, stub)
    options = ["--images", "4", "--workers", "0", "--begin-with", str(base)]
    command.main(["--person", str(path), "--out", str(out), *options])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("note:") and "0.2 s are used" in line for line in lines)
    assert any(line.startswith("before: psnr result") for line in lines)
    assert lines[-2] == f"facepipe weights add {out}/person.safetensors --name anna"
    assert load_network(out / "person.safetensors", KIND, CompactBilayerNet, CompactBilayerConfig).config == SMALL
    assert (out / "person.safetensors").read_bytes() != base.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seconds", "5"), "--seconds needs --person"),
        ((), "--dataset and --cache, or --person"),
        (("--person", "a.mp4", "--dataset", "set"), "leave --dataset and --cache out"),
        (("--person", "a.mp4", "--minutes", "0"), "--minutes is 0"),
        (("--person", "a.mp4", "--seconds", "nan"), "--seconds is nan"),
        (("--person", "a.mp4", "--face", "me.png"), "--face is 'me.png'"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        command.main(["--out", str(tmp_path / "run"), *arguments])
    assert not (tmp_path / "run").exists()


def test_an_unknown_network_to_start_from_is_refused() -> None:
    with pytest.raises(WeightsError, match="nobody is neither a file nor a registered weight"):
        person_command.base_path("nobody")
