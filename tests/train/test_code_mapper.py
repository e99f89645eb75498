"""The training of the mapper of W+ codes: its data, its resumption, and what it recovers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.avatar.layout import LENGTH, from_row, to_row
from facepipe.avatar.sampling import sample
from facepipe.avatar.sliders import NEUTRAL
from facepipe.checkpoint import save_network
from facepipe.creation import CODE_MAPPER
from facepipe.creation.imitation import Imitator
from facepipe.creation.mapping import Mapper
from facepipe.creation.observation import Observation
from facepipe.errors import InputError
from facepipe.media.image import write_image
from facepipe.models.avatar_mapper import MapperConfig
from facepipe.models.imitator import NAME, CompactImitatorConfig
from facepipe.models.imitator import Imitator as Network
from facepipe.train import code_mapper
from facepipe.train.code_mapper import Codes, batches, begun, config, judged, loss_of, rows_of, steps_of, train
from facepipe.train.code_pictures import CodePictures, collect, load_code_pictures
from facepipe.train.loop import Recipe
from facepipe.weights import add, find

TINY = CompactImitatorConfig(hidden=(16,), style=8, widths=(8, 8), enlargement=2)
SMALL = MapperConfig(config().continuous, config().options, 18, 512, 32, beta=20.0, portrait=False)
CPU = torch.device("cpu")
COUNT = 330


@pytest.fixture(scope="module")
def imitator(tmp_path_factory: pytest.TempPathFactory) -> Imitator:
    """A random network, whose pictures differ clearly by vector."""
    torch.manual_seed(4)
    net = Network(TINY)
    with torch.no_grad():
        for layer in net.encoders.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight *= 3
    path = tmp_path_factory.mktemp("imitator") / "imitator.safetensors"
    save_network(net, path, kind=NAME)
    return Imitator(path)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.stack([to_row(sample(seed).relaxed()) for seed in range(COUNT)])


@pytest.fixture(scope="module")
def found(imitator: Imitator, vectors: np.ndarray) -> CodePictures:
    """Codes are a random linear function of vectors, far from 0 as those of e4e are."""
    random = np.random.default_rng(1)
    codes = vectors @ random.normal(0, 0.05, (LENGTH, 18 * 512)) + random.normal(0, 1, 18 * 512)
    pictures = np.stack([imitator.draw(from_row(row)) for row in vectors])
    inside = np.full(pictures.shape[:3], 255, np.uint8)
    return CodePictures(codes.reshape(COUNT, 18, 512).astype(np.float32), pictures, inside)


def visible(imitator: Imitator, vectors: np.ndarray, count: int) -> np.ndarray:
    """Return the `count` directions (count, LENGTH) in which vectors like these change the imitator's pictures most."""
    rows, spread = torch.from_numpy(vectors[::16]), torch.from_numpy(vectors.std(0))
    slope_of = torch.func.jacrev(lambda row: imitator.pictures(row[None]).flatten())
    slopes = [slope_of(row) for row in rows]
    directions = torch.linalg.svd(torch.cat(slopes) * spread, full_matrices=False).Vh[:count]
    found: np.ndarray = (directions / spread.clamp_min(1e-6)).numpy()
    return found


@pytest.mark.slow
def test_it_recovers_what_pictures_show_of_vectors(
    found: CodePictures, imitator: Imitator, vectors: np.ndarray, tmp_path: Path
) -> None:
    """On codes that it has not seen, by the file that is used later; chance is a correlation of 0."""
    recipe = Recipe(16, 240, 2e-3, warm_up=10, decay=0, average=0.98, evaluate_every=240)
    torch.manual_seed(1)
    file = train(found, imitator.net, recipe, tmp_path, SMALL)
    mapper = Mapper(file)
    held = slice(COUNT - 33, COUNT)
    rows = np.stack([to_row(mapper.map_code(code).relaxed) for code in found.codes[held]])
    seen = visible(imitator, vectors, 2)
    pairs = zip((rows @ seen.T).T, (vectors[held] @ seen.T).T, strict=True)
    assert all(np.corrcoef(mapped, true)[0, 1] > 0.6 for mapped, true in pairs)
    figures = judged(mapper.net, imitator.net, Codes.of(found).split()[1], CPU)
    assert figures.own < 0.6 * figures.other


def test_a_mapper_begins_with_codes_of_one_scale_and_neutral_vectors(found: CodePictures) -> None:
    torch.manual_seed(2)
    net = begun(torch.from_numpy(found.codes), SMALL)
    codes = torch.from_numpy(found.codes)
    hidden = net.first(codes)
    assert hidden.mean((0, 2)).abs().max() < 0.1
    assert hidden.std((0, 2)).min() > 0.7
    assert hidden.std((0, 2)).max() < 2.5
    rows = rows_of(net, codes, 1.0)
    assert rows.shape == (COUNT, LENGTH)
    wanted = torch.tensor([*NEUTRAL.values()])
    assert (rows[:, : len(NEUTRAL)] - wanted).abs().max() < 0.2


def test_pixels_outside_do_not_count(found: CodePictures, imitator: Imitator) -> None:
    """Neither in the loss nor in the figures."""
    one = Codes.of(found)
    net = begun(one.codes, SMALL)
    inside = one.inside.clone()
    inside[..., :6] = 0
    other = one.pictures.clone()
    other[..., :6] = 255 - other[..., :6]
    losses, figures = [], []
    for pictures in (one.pictures, other):
        codes = Codes(one.codes, pictures, inside)
        losses.append(float(loss_of(net, codes.batch(slice(0, 4), 2.0, CPU), imitator.net).detach()))
        figures.append(judged(net, imitator.net, codes, CPU))
    assert losses[0] == losses[1]
    assert figures[0] == figures[1]
    changed = Codes(one.codes, other, one.inside)
    assert float(loss_of(net, changed.batch(slice(0, 4), 2.0, CPU), imitator.net).detach()) != losses[0]


def test_each_epoch_shows_every_code_and_resumes_in_its_middle(found: CodePictures) -> None:
    codes = Codes.of(found)
    recipe = Recipe(10, 660, 1e-3)
    stream = batches(codes, recipe, 0, CPU)
    epoch = [next(stream) for _ in range(33)]
    seen = torch.cat([batch.codes[:, 0, 0] for batch in epoch])
    assert torch.equal(seen.sort().values, codes.codes[:, 0, 0].sort().values)
    assert torch.equal(next(batches(codes, recipe, 20, CPU)).codes, epoch[20].codes)
    assert {batch.beta for batch in epoch} == {1.0}
    assert next(stream).beta == 2.0
    assert next(batches(codes, recipe, 659, CPU)).beta == 20.0
    assert steps_of(330, 10) == 20 * 29


def test_the_command_makes_a_weight_that_can_be_added(
    found: CodePictures,
    imitator: Imitator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run that is started again resumes; the file is registered by its name."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(code_mapper, "config", lambda: SMALL)
    weight, few = tmp_path / "imitator.safetensors", tmp_path / "codes.npz"
    save_network(imitator.net, weight, kind=NAME)
    CodePictures(found.codes[:20], found.pictures[:20], found.inside[:20]).save(few)
    words = ["--codes", str(few), "--imitator", str(weight), "--out", str(tmp_path / "run")]
    code_mapper.main([*words, "--steps", "1"])
    first = capsys.readouterr().out
    assert "18 codes, 2 held out" in first
    code_mapper.main([*words, "--steps", "2"])
    again = capsys.readouterr().out
    assert "step 2 unseen: L1" in again
    assert "step 1 " not in again
    file = tmp_path / "run" / f"{CODE_MAPPER}.safetensors"
    assert f"facepipe weights add {file}" in again
    add(file, name=file.stem, licence="unknown", source="test")
    mapper = Mapper(find(CODE_MAPPER).path)
    assert mapper.net.config.beta == 20
    assert mapper.map_code(found.codes[0]).relaxed.continuous.shape == (SMALL.continuous,)


def test_wrong_files_are_refused(found: CodePictures, tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    path.write_text("text", encoding="utf-8")
    with pytest.raises(InputError, match=r"no \.npz of NumPy"):
        load_code_pictures(path, 16)
    with pytest.raises(InputError, match=r"no \.npz of NumPy"):
        load_code_pictures(tmp_path / "none.npz", 16)
    np.save(path.with_suffix(".npy"), found.codes[:3])
    with pytest.raises(InputError, match="a single array"):
        load_code_pictures(path.with_suffix(".npy"), 16)
    np.savez(path, allow_pickle=False, codes=found.codes[:4], pictures=found.pictures[:4])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"no \.npz of NumPy"):
        load_code_pictures(path, 16)
    good: dict[str, np.ndarray] = {"codes": found.codes[:4], "pictures": found.pictures[:4]}
    wrong: dict[str, dict[str, np.ndarray]] = {
        "lacks pictures": {"codes": found.codes},
        "expected finite floats": {**good, "codes": found.codes[:4, :14]},
        "codes are .* of int64": {**good, "codes": np.zeros((4, 18, 512), np.int64)},
        "expected uint8 .4, S, S, 3": {**good, "pictures": found.pictures[:3]},
        "of float32, expected uint8": {**good, "pictures": found.pictures[:4].astype(np.float32)},
        "inside is": {**good, "inside": found.inside[:2]},
        "has 1 codes": {name: value[:1] for name, value in good.items()},
    }
    for message, arrays in wrong.items():
        np.savez(path, allow_pickle=False, **arrays)
        with pytest.raises(InputError, match=message):
            load_code_pictures(path, 16)
    np.savez(path, allow_pickle=False, **good)
    read = load_code_pictures(path, 8)
    assert read.pictures.shape == (4, 8, 8, 3)
    assert (read.inside == 255).all()
    # Halved by the means of four pixels.
    means = found.pictures[:4].reshape(4, 8, 2, 8, 2, 3).mean((2, 4))
    assert np.abs(means - read.pictures).max() <= 1


def test_folders_of_codes_and_pictures(found: CodePictures, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are matched by name; what cannot be used is listed, and the background becomes plain."""
    codes, pictures = tmp_path / "codes", tmp_path / "pictures"
    codes.mkdir()
    pictures.mkdir()
    for number, name in enumerate(["b", "a", "c", "faceless", "alone"]):
        np.save(codes / f"{name}.npy", found.codes[number])
    for level, name in enumerate(["a", "b", "faceless", "codeless", "c"]):
        write_image(pictures / f"{name}.png", np.full((8, 8, 3), 50 * level, np.uint8))
    (pictures / "notes.txt").write_text("no picture", encoding="utf-8")

    def observe(picture: np.ndarray) -> Observation | None:
        level = int(picture[0, 0, 0])
        if level == 100:
            return None
        matte, inside = np.ones((2, 256, 256), np.float32)
        matte[:, :10], inside[:, :5] = 0, 0
        points = np.zeros((478, 3), np.float32)
        return Observation(np.full((256, 256, 3), level, np.uint8), matte, inside, points, points)

    made = collect(codes, pictures, observe)
    assert np.array_equal(made.codes, found.codes[[1, 0, 2]])
    assert made.pictures[:, 128, 128, 0].tolist() == [0, 50, 200]
    assert np.abs(made.pictures[:, 128, 3].astype(int) - (229, 232, 237)).max() <= 1
    assert made.inside[0, 0, 4] == 0
    assert made.inside[0, 0, 5] == 255
    out = capsys.readouterr().out
    assert all(line in out for line in ("alone: no picture", "codeless: no code", "faceless.png: no face"))
    with pytest.raises(InputError, match="equal names"):
        collect(pictures, codes, observe)
    with pytest.raises(InputError, match="is no folder"):
        collect(codes / "a.npy", pictures, observe)
