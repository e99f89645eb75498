"""Fine-tuning for one person: frames from a clip or pictures, what is trained, what is kept, and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import load_network, save_network
from facepipe.errors import InputError, NoFaceError, UsageError, WeightsError
from facepipe.face.following import Followed
from facepipe.face.likeness import Comparison
from facepipe.face.track import Track
from facepipe.media.encode import VideoWriter
from facepipe.media.image import write_image
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.renderers.bilayer.compact.renderer import KIND
from facepipe.train.bilayer.mattes import SIDE as MATTE_SIDE
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE, HeadPairs
from facepipe.train.bilayer.person_frames import PersonFrames, parts_of
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import Recipe, train
from tests.face.faces import face_model
from tests.face.world import HEIGHT, WIDTH, Figure, World
from tests.renderers.bilayer.compact.test_net import TINY
from tests.train.pirender.test_pairs import clip

fabric_module = pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

from facepipe.train.bilayer import command, person, person_command, person_frames  # noqa: E402 - they need the extra

SIDE = 160
SMALL = replace(TINY, side_pixels=SIDE)
LEVELS = 8


class Filmed(World):
    """A world whose pictures survive encoding: a square of pixels, not one, holds the number of the frame."""

    def draw(self, number: int) -> NDArray[np.uint8]:
        picture = super().draw(number)
        picture[:24, :24] = LEVELS * number
        return picture

    def seen(self, picture: NDArray[np.uint8]) -> list[Figure]:
        number = round(float(picture[4:20, 4:20].mean()) / LEVELS)
        # A turned picture has another corner there, and no face.
        return super().seen(np.full((1, 1, 3), number, np.uint8)) if number < len(self.frames) else []


def reader(world: World, notes: list[str], **options: Any) -> PersonFrames:
    return PersonFrames(world, world, face_model(), SIDE, note=notes.append, **options)


def filmed(world: World, path: Path, fps: int = 25) -> Path:
    with VideoWriter(path, size=(WIDTH, HEIGHT), fps=Fraction(fps)) as writer:
        for picture in world.pictures():
            writer.write(picture)
    return path


def test_the_head_in_the_first_seconds_of_a_clip(tmp_path: Path) -> None:
    """The largest of two people is cut out for as long as --seconds says; notes say who it is and that it is short."""
    world = Filmed([[Figure(90 + number, looks=1), Figure(260, size=20, looks=2)] for number in range(24)])
    path, notes = filmed(world, tmp_path / "two.mp4"), list[str]()
    cache = reader(world, notes, seconds=0.48).cache([path], tmp_path / "frames")
    assert cache.frames.shape == (12, SIDE, SIDE, 3)
    assert cache.valid.all()
    middle = cache.points[:, :, :2].mean((0, 1))
    assert np.abs(middle - SIDE / 2).max() < 0.15 * SIDE
    # The points fit the pixels: the textured patch of the face differs from the grey around it.
    left, top = cache.points[6, :, :2].min(0).astype(int)
    right, bottom = cache.points[6, :, :2].max(0).astype(int)
    patch = cache.frames[6].astype(float)
    assert patch[top:bottom, left:right].std() > 4 * patch[:, : left - 6].std()
    assert any("up to 2 faces" in note and "number 1 of 2" in note for note in notes)
    assert any("0.5 s are used" in note for note in notes)


def test_a_clip_is_read_once(tmp_path: Path) -> None:
    """The folder of another clip, or of other --seconds, is refused."""
    world = Filmed([[Figure(120)]] * 4)
    path = filmed(world, tmp_path / "clip.mp4")
    first = reader(world, []).cache([path], tmp_path / "frames")
    seen = len(world.crops)
    again = reader(world, []).cache([path], tmp_path / "frames")
    assert len(world.crops) == seen
    np.testing.assert_array_equal(first.frames, again.frames)
    with pytest.raises(InputError, match="another --out"):
        reader(world, [], seconds=0.1).cache([path], tmp_path / "frames")


def test_seconds_beyond_the_clip_are_noted(tmp_path: Path) -> None:
    world = Filmed([[Figure(120)]] * 12)
    notes = list[str]()
    reader(world, notes, seconds=20).cache([filmed(world, tmp_path / "clip.mp4", fps=5)], tmp_path / "frames")
    assert any("2.4 s, fewer than --seconds 20" in note for note in notes)


def test_a_clip_without_a_face_leaves_nothing(tmp_path: Path) -> None:
    world = Filmed([[]] * 6)
    with pytest.raises(NoFaceError, match="0 of the first 6 frames"):
        reader(world, []).cache([filmed(world, tmp_path / "empty.mp4")], tmp_path / "frames")
    assert not (tmp_path / "frames").exists()


def test_frames_of_another_person_are_left_out() -> None:
    """The frames from which another person is followed are not valid, and a note says from when on."""
    track = Track(np.ones((8, 478, 3), np.float32), np.ones(8, bool), np.ones(8, np.float32), changed_frames=(5,))
    notes = list[str]()
    valid = reader(World([]), notes)._person_alone(Path("clip.mp4"), Followed(track), Fraction(25))
    assert valid.tolist() == [True] * 5 + [False] * 3
    assert any("from 0.20 s on only another person" in note for note in notes)


def test_pictures_take_the_place_of_a_clip(tmp_path: Path) -> None:
    """Two are enough; one is not; and pictures do not mix with clips."""
    world = Filmed([[Figure(90)], [Figure(200)], []])
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, picture in zip(paths, world.pictures(), strict=True):
        write_image(path, picture)
    cache = reader(world, []).cache(paths[:2], tmp_path / "frames")
    assert cache.valid.tolist() == [True, True]
    assert np.abs(cache.points[0, :, :2] - cache.points[1, :, :2]).max() < 2
    seen, held_out = parts_of(cache, still=True)
    assert (seen.tolist(), held_out.tolist()) == ([0, 1], [])
    with pytest.raises(InputError, match="is one picture"):
        reader(world, []).cache(paths[:1], tmp_path / "other")
    with pytest.raises(NoFaceError, match=r"2\.png: no face"):
        reader(world, []).cache(paths, tmp_path / "other")
    film = filmed(Filmed([[Figure(90)]] * 3), tmp_path / "clip.mp4")
    with pytest.raises(InputError, match="names 2 files"):
        reader(world, []).cache([paths[0], film], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_pictures_of_two_people_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the shapes of the faces, with their distance."""
    world = Filmed([[Figure(90)], [Figure(200)]])
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path, picture in zip(paths, world.pictures(), strict=True):
        write_image(path, picture)
    monkeypatch.setattr(person_frames, "compare", lambda *_: Comparison(0.05, 0.1))
    with pytest.raises(InputError, match=r"1\.png: shows another person than .*0\.png.* 0\.050 eye distances"):
        reader(world, []).cache(paths, tmp_path / "frames")
    assert not (tmp_path / "frames").exists()


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
