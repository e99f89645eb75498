"""Every training, from a data folder to a released weight, at tiny sizes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.checkpoint import load_network, save_network
from facepipe.dataset.split import read_items, split_items, unseen_identities
from facepipe.errors import InputError, WeightsError
from facepipe.face.fitting import fit
from facepipe.face.model import load_face_model
from facepipe.media.decode import decode_frames
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.motion.drawing import load_expression_vae
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet
from facepipe.train import detector, expression_vae, face_model, landmarker, release, renderings
from facepipe.train.faces import build_cache, chosen_frames
from facepipe.train.loop import Recipe
from facepipe.weights import embedded_folder
from tests.face import faces
from tests.train.material import FRAMES, face_points, make_data

ONE_STEP = Recipe(batch=2, steps=1, peak_rate=1e-3, warm_up=1, evaluate_every=1)
TWO_STEPS = Recipe(batch=2, steps=2, peak_rate=1e-3, warm_up=1, evaluate_every=1)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_data(tmp_path_factory.mktemp("material"))


def test_nobody_is_on_both_sides(material: tuple[Path, Path]) -> None:
    """The unseen are exactly those of the list, with all their clips and portraits, and nothing is lost."""
    seen, unseen = split_items(material[0])
    assert not {item.identity for item in seen} & {item.identity for item in unseen}
    assert {item.identity for item in unseen} <= unseen_identities()
    assert sorted(item.path.name for item in seen + unseen) == sorted(
        item.path.name for item in read_items(material[0])
    )
    assert (len(seen), len(unseen)) == (4, 2)


def test_the_list_of_the_unseen_is_the_file() -> None:
    """Every line except comments, and no other name."""
    lines = (embedded_folder() / "unseen_identities.txt").read_text("utf-8").splitlines()
    assert unseen_identities() == {line for line in lines if line and not line.startswith("#")}
    assert len(unseen_identities()) > 10


def test_the_real_material_is_split_without_overlap() -> None:
    """The same on the real list, if available; about a seventh of the people is unseen."""
    if not (faces.DATA / "sources.tsv").exists():
        pytest.skip(f"{faces.DATA} is not there")
    seen, unseen = ({item.identity for item in side} for side in split_items(faces.DATA))
    assert not seen & unseen
    assert unseen <= unseen_identities()
    assert 0.08 < len(unseen) / len(seen | unseen) < 0.25


def test_a_folder_without_its_list_is_reported(tmp_path: Path) -> None:
    """The error names the missing file and the flag."""
    with pytest.raises(InputError, match=r"sources\.tsv.*--data"):
        read_items(tmp_path)


def test_frames_are_spread_over_those_with_a_face() -> None:
    """The first and last valid frames are included, invalid ones are not, and short clips give fewer."""
    valid = np.arange(100) % 3 != 0
    chosen = chosen_frames(valid, 7)
    assert len(chosen) == 7
    assert valid[chosen].all()
    assert (chosen[0], chosen[-1]) == (1, 98)
    assert len(chosen_frames(valid[:5], 64)) == 3


def test_a_cache_is_made_once_and_holds_faces_where_the_points_are(material: tuple[Path, Path], tmp_path: Path) -> None:
    """Points are inside the picture, on red lips; a second call reads what the first one wrote."""
    items = split_items(material[0])[0]
    cache = build_cache(items, material[1], tmp_path, ratio=2.2, size_pixels=96, frames_per_clip=3)
    assert cache.pictures.shape == (8, 96, 96, 3)
    np.testing.assert_array_equal(np.bincount(cache.item), [3, 1, 3, 1])
    np.testing.assert_array_equal(cache.portrait, [items[item].kind == "portrait" for item in cache.item])
    lips = cache.points[:, [0, 17], :2].mean(1).round().astype(int)
    colours = cache.pictures[np.arange(8), lips[:, 1], lips[:, 0]].astype(int)
    assert (colours[:, 0] > colours[:, 1] + 50).mean() > 0.7
    again = build_cache(items, tmp_path / "nothing", tmp_path, ratio=2.2, size_pixels=96)
    np.testing.assert_array_equal(again.pictures, cache.pictures)
    np.testing.assert_array_equal(again.points, cache.points)


@pytest.mark.parametrize("training", [detector, landmarker], ids=["detector", "landmarker"])
def test_a_network_is_trained_and_resumed(
    training: object, material: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step, then another from the checkpoint: caches are made, the unseen are evaluated, the count continues."""
    if training is detector:
        monkeypatch.setattr(detector, "SCENE_PIXELS", 96)
        monkeypatch.setattr(detector, "DetectorConfig", lambda: DetectorConfig((8, 8, 8), (1, 1, 1)))
    train = training.train  # type: ignore[attr-defined]
    train(*material, tmp_path / "cache", tmp_path / "run", ONE_STEP)
    first = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    net = train(*material, tmp_path / "cache", tmp_path / "run", TWO_STEPS)
    second = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert (first["step"], second["step"]) == (1, 2)
    assert any(not torch.equal(first["net"][name], value) for name, value in second["net"].items())
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())


@pytest.mark.slow
def test_a_face_model_is_built_that_explains_its_people(tmp_path: Path) -> None:
    """From labels alone: loads, mirrors onto itself, and fits a new clip of a person it was built from."""
    data, labels = make_data(tmp_path, pictures=False)
    for number in range(2):
        points = face_points(60, seed=10 + number, person=number)
        np.savez(labels / f"clips/c{number}.npz", points=points, valid=np.ones(60, bool))
    face_model.build(data, labels, tmp_path / "deep/model.safetensors")
    model = load_face_model(tmp_path / "deep/model.safetensors")
    np.testing.assert_array_equal(model.mirror[model.mirror], np.arange(478))
    assert model.identity.shape == (80, 478, 3)
    assert len(model.controls) == len(faces.face_model().controls)
    assert all(control.low < control.high == 1 for control in model.controls.values())
    again = face_points(20, seed=77, person=0).astype(float)
    assert fit(model, again, np.ones(20, bool)).residual.mean() < 0.05
    assert FRAMES < 60


def test_a_release_is_the_average_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds the averaged network, the registry its digest, and a second release replaces the first entry."""
    shutil.copy(embedded_folder() / "registry.toml", tmp_path / "registry.toml")
    monkeypatch.setattr(release, "embedded_folder", lambda: tmp_path)
    small = DetectorConfig((8, 8, 8), (1, 1, 1))
    monkeypatch.setitem(release.NETWORKS, "detector", (Detector, lambda: small))
    net, mean = Detector(small), Detector(small)
    state = {"net": net.state_dict(), "mean": {f"module.{k}": v for k, v in mean.state_dict().items()}}
    state["mean"]["n_averaged"] = torch.tensor(3)
    torch.save(state, tmp_path / "checkpoint.pt")
    torch.save({"mean": {k: v * 3 for k, v in state["mean"].items()}}, tmp_path / "later.pt")
    release.main(["detector", str(tmp_path / "checkpoint.pt"), str(tmp_path / "later.pt")])
    between = load_network(tmp_path / "detector.safetensors", "detector", Detector, DetectorConfig).state_dict()[
        "head.3.weight"
    ]
    torch.testing.assert_close(between.float(), 2 * mean.state_dict()["head.3.weight"], rtol=1e-2, atol=2e-2)
    with pytest.raises(SystemExit):
        release.main(["face-model", "a.safetensors", "b.safetensors"])
    for _ in range(2):
        path = release.release("detector", tmp_path / "checkpoint.pt")
    back = load_network(path, "detector", Detector, DetectorConfig)
    saved, averaged = back.state_dict()["head.3.weight"], mean.state_dict()["head.3.weight"]
    torch.testing.assert_close(saved.float(), averaged, rtol=1e-2, atol=1e-2)
    assert not torch.allclose(saved.float(), net.state_dict()["head.3.weight"], atol=1e-2)
    text = (tmp_path / "registry.toml").read_text("utf-8")
    assert text.count('name = "detector"') == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert text.count("[[weight]]") == (embedded_folder() / "registry.toml").read_text("utf-8").count("[[weight]]")


def test_a_released_file_can_be_averaged_with_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a network without norms; one with folded norms is refused, and nothing is written."""
    shutil.copy(embedded_folder() / "registry.toml", tmp_path / "registry.toml")
    monkeypatch.setattr(release, "embedded_folder", lambda: tmp_path)
    tiny = CompactConfig(side_pixels=64, latent=16, warp_widths=(8, 8, 8), edit_widths=(8, 8, 8))
    small = DetectorConfig((8, 8, 8), (1, 1, 1))
    monkeypatch.setitem(release.NETWORKS, "pirender-compact", (CompactNet, lambda: tiny))
    monkeypatch.setitem(release.NETWORKS, "detector", (Detector, lambda: small))
    before, later = CompactNet(tiny), CompactNet(tiny)
    save_network(before, tmp_path / "before.safetensors", kind="pirender-compact")
    torch.save({"mean": {f"module.{k}": v for k, v in later.state_dict().items()}}, tmp_path / "later.pt")
    path = release.release("pirender-compact", tmp_path / "later.pt", tmp_path / "before.safetensors")
    between = load_network(path, "pirender-compact", CompactNet, CompactConfig, precision="fp32").state_dict()
    for name, value in between.items():
        wanted = (before.state_dict()[name] + later.state_dict()[name]) / 2
        torch.testing.assert_close(value, wanted, rtol=1e-3, atol=1e-3)
    save_network(Detector(small), tmp_path / "folded.safetensors", kind="detector")
    with pytest.raises(WeightsError, match="another network"):
        release.release("detector", tmp_path / "folded.safetensors")
    assert not (tmp_path / "detector.safetensors").exists()


def test_renderings_move_known_faces_and_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every seen clip and portrait becomes a moving clip, unseen people do not, and existing clips are kept."""
    monkeypatch.setattr(renderings, "FRAMES", FRAMES - 1)
    data, labels = make_data(tmp_path)
    argv = ["--data", str(data), "--labels", str(labels), "--out", str(tmp_path / "out")]
    renderings.main(argv)
    made = sorted((tmp_path / "out" / "clips").iterdir())
    assert [path.name for path in made] == ["c0-0.mp4", "c1-0.mp4", "p0-0.mp4", "p1-0.mp4"]
    frames = np.stack(list(decode_frames(made[0]))).astype(int)
    assert frames.shape == (FRAMES - 1, renderings.SIZE_PIXELS, renderings.SIZE_PIXELS, 3)
    assert np.abs(frames[0] - frames[-1]).mean() > 1
    times = [path.stat().st_mtime_ns for path in made]
    renderings.main(argv)
    assert [path.stat().st_mtime_ns for path in made] == times


def test_the_expression_vae_is_trained_and_loads(
    material: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From labels to a file that samples, with metrics of the unseen."""
    out = tmp_path / "vae.safetensors"
    expression_vae.build(*material, out, expression_vae.Recipe(batch=4, steps=3))
    expression, angles = load_expression_vae(out).draw(1, range(5))
    assert np.isfinite(expression).all()
    assert np.isfinite(angles).all()
    output = capsys.readouterr().out
    assert "unseen: reconstruction error" in output
    assert "nan" not in output
