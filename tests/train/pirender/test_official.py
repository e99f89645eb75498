"""The paper's training, with tiny networks in its own shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from facepipe import weights
from facepipe.dataset.listing import Entry, path_of, write_list
from facepipe.errors import InputError, WeightsError
from facepipe.face.track import Track, TrackFile, save_track
from facepipe.media.encode import VideoWriter
from facepipe.media.image import from_tensor, to_tensor
from facepipe.models.vgg import LAYERS, Vgg19Features, vgg19_of
from facepipe.renderers.pirender import inference
from facepipe.renderers.pirender.checkpoint import load_pirender
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.net import Pirender
from facepipe.renderers.pirender.renderer import PirenderRenderer
from facepipe.spaces import bfm
from facepipe.spaces.bfm.descriptor import ANGLES, CROP, EXPRESSION, TRANSLATION, windows
from facepipe.spaces.files import load_coefficients
from facepipe.train.pirender.perceptual import VggLoss, gram, paper_losses
from tests.dataset.material import FPS, WHOLE, add_coefficients
from tests.pipeline.scene import run
from tests.renderers.painted import paint
from tests.train.material import face_points

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
from lightning_fabric import Fabric

from facepipe.train.loop import network_state
from facepipe.train.pirender import command, official
from facepipe.train.pirender.command import RECIPES
from facepipe.train.pirender.frame_cache import FrameCache, HeadClip, build_frame_cache
from facepipe.train.pirender.frames import FramePairs, both_ways
from facepipe.train.pirender.loop import Recipe
from facepipe.train.pirender.official import OfficialTraining, PaperRecipe, open_vgg, rows_of

SIDE = 128  # after three halvings VGG halves four times more
TINY_VGG = ((4, 4), (4, 4), (6, 6), (6,), (8,))
TINY = PirenderConfig(latent=16, warping_width=8, editing_width=8, widest=16, residual_blocks=1, unused_branch=False)


def clips() -> list[HeadClip]:
    made = []
    for number in range(2):
        points = face_points(4, seed=number, person=number).astype(np.float64) * (SIDE / 160)
        valid = np.array([True, False, True, True])
        made.append(HeadClip(f"c{number}", f"p{number}", [paint(face, SIDE) for face in points], points, valid))
    return made


def frame_cache(folder: Path) -> FrameCache:
    """The cache of the clips, with coefficients as in a data set in the same folder."""
    add_coefficients(folder, "c0", "c1")
    return build_frame_cache(clips(), folder, SIDE)


def dataset(folder: Path) -> Path:
    """A data set of the clips, one in `train` and one in `unseen`, without coefficients."""
    entries = []
    for one, split in zip(clips(), ("train", "unseen"), strict=True):
        for kind in ("clip", "track"):
            path_of(folder, one.name, kind).parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path_of(folder, one.name, "clip"), size=(SIDE, SIDE), fps=FPS) as writer:
            for frame in one.frames:
                writer.write(frame)
        track = Track(one.points.astype(np.float32), one.valid, np.ones(4, np.float32))
        save_track(TrackFile(track, FPS, WHOLE, (SIDE, SIDE)), path_of(folder, one.name, "track"))
        entries.append(Entry(one.name, one.person, split, 4, 3, "25", SIDE, False, "x.mp4", "0", 0, (0, 0, SIDE)))
    write_list(folder, entries)
    return folder


def loss() -> VggLoss:
    torch.manual_seed(0)
    return VggLoss(Vgg19Features(TINY_VGG).eval().requires_grad_(False))


def training(folder: Path, found: FrameCache, fabric: Fabric) -> OfficialTraining:
    """The first 20 images train the warp alone; coefficients are those of the data set in `folder`."""
    recipe = PaperRecipe(batch=2, images=40, peak_rate=1e-3, workers=0)
    return OfficialTraining(recipe, fabric, folder, found, found, loss(), TINY)


def test_vgg_is_torchvisions_up_to_relu5_1() -> None:
    """Indices and widths of the convolutions, and the positions and sizes of the five maps."""
    net = Vgg19Features()
    assert tuple(net.taken) == LAYERS
    convolutions = {
        index: layer.out_channels for index, layer in enumerate(net.features) if isinstance(layer, nn.Conv2d)
    }
    assert list(convolutions) == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28]
    assert [convolutions[index - 1] for index in LAYERS] == [64, 128, 256, 512, 512]
    with torch.no_grad():
        assert [one.shape[-1] for one in Vgg19Features(TINY_VGG)(torch.rand(1, 3, 32, 32))] == [32, 16, 8, 4, 2]


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(KeyError):
        vgg19_of({"features.0.weight": torch.zeros(64, 3, 3, 3)})


def test_the_error_without_vgg_gives_instructions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"vgg19-dcbb9e9d.pth .*facepipe weights add vgg19"):
        open_vgg()


def test_gram_matrices_are_products_of_channels() -> None:
    """Compared with plain sums."""
    maps = torch.rand(2, 3, 4, 5)
    wanted = torch.zeros(2, 3, 3)
    for one in range(3):
        for other in range(3):
            wanted[:, one, other] = (maps[:, one] * maps[:, other]).sum((1, 2)) / (3 * 4 * 5)
    torch.testing.assert_close(gram(maps), wanted)


def test_content_is_a_sum_over_scales_and_layers() -> None:
    """Compared with a plain loop; zero for equal pictures; the weights are those of the paper."""
    vgg = loss()
    made, truth = torch.rand(1, 3, SIDE, SIDE) * 2 - 1, torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    wanted = 0.0
    one, other = vgg.normalised(made), vgg.normalised(truth)
    for _ in range(4):
        wanted += sum(float((a - b).abs().mean()) for a, b in zip(vgg.vgg(one), vgg.vgg(other), strict=True))
        one, other = (functional.interpolate(part, size=part.shape[-1] // 2, mode="bilinear") for part in (one, other))
    torch.testing.assert_close(float(vgg.content(made, truth)), wanted, rtol=1e-5, atol=1e-6)
    assert vgg.content(made, made) == 0
    losses = paper_losses(vgg, made, made, truth)
    torch.testing.assert_close(losses["content"] / losses["warp"], torch.tensor(4 / 2.5))
    torch.testing.assert_close(losses["style"], 1000 * vgg.style(made, truth))
    assert set(paper_losses(vgg, made, None, truth)) == {"warp"}


def test_pairs_are_used_both_ways_with_their_windows(tmp_path: Path) -> None:
    """The window of a truth is centred at its own frame, and frames without a face are never sampled."""
    found = frame_cache(tmp_path)
    rows = rows_of(tmp_path, found)
    pairs = FramePairs(found, rows, 0)
    frames = pairs.pair(1, 0, 3)
    batch = type(frames)(*(part[None] for part in frames))
    sources, descriptors, truths = both_ways(batch)
    assert torch.equal(sources, truths.flip(0))
    there = load_coefficients(path_of(tmp_path, "c1", "bfm"), space=bfm.SPACE)
    for window, frame in zip(descriptors, (3, 0), strict=True):
        np.testing.assert_allclose(window[:, 13], rows[1][frame], atol=1e-5)
        for part, name in (
            (EXPRESSION, "expression"),
            (ANGLES, "angles"),
            (TRANSLATION, "translation"),
            (CROP, "crops"),
        ):
            np.testing.assert_allclose(window[part, 13], getattr(there, name)[frame], atol=1e-5)
    hidden = {found.frames[found.clip(index).start + 1].tobytes() for index in range(2)}
    for _, pair in zip(range(30), pairs, strict=False):
        assert np.ascontiguousarray(pair.first.permute(1, 2, 0).numpy()).tobytes() not in hidden


def test_the_schedule_is_the_papers() -> None:
    """400,000 steps: warping alone for 200,000, slower from 300,000 on, and no gradient is cut."""
    images, batch, rate = RECIPES["official"]
    recipe = PaperRecipe(batch=batch, images=images, peak_rate=rate)
    assert images / batch == 400_000
    assert [recipe.warps_only(step * batch) for step in (0, 199_999, 200_000)] == [True, True, False]
    assert [recipe.rate(step * batch) for step in (0, 299_999)] == [1e-4, 1e-4]
    assert [recipe.rate(step * batch) for step in (300_000, 399_999)] == pytest.approx([2e-5, 2e-5])
    assert recipe.max_gradient_norm is None
    assert Recipe(batch=batch, images=images, peak_rate=rate).max_gradient_norm == 1.0


def test_the_two_stages_and_the_schedule(tmp_path: Path) -> None:
    """The first half trains only the warp, the second the whole network; the last quarter is five times slower."""
    found = training(tmp_path, frame_cache(tmp_path), Fabric(accelerator="cpu"))
    assert [found.recipe.rate(images) for images in (0, 29, 30)] == [1e-3, 1e-3, 2e-4]
    stream = iter(found.batches(0))
    editing = [value.clone() for value in found.run.net.editing_net.parameters()]  # type: ignore[union-attr]
    assert set(found.advance(next(stream))) == {"warp"}
    assert all(torch.equal(a, b) for a, b in zip(editing, found.run.net.editing_net.parameters(), strict=True))  # type: ignore[union-attr]
    found.run.images = 20
    assert set(found.advance(next(stream))) == {"warp", "content", "style"}
    assert any(not torch.equal(a, b) for a, b in zip(editing, found.run.net.editing_net.parameters(), strict=True))  # type: ignore[union-attr]
    metrics, sheet = found.evaluate(found.run.mean.module)
    assert set(metrics) == {"psnr unmoved", "psnr warp", "psnr picture"}
    assert sheet.shape == (2 * SIDE, 4 * SIDE, 3)


def test_coefficients_of_another_length_are_refused(tmp_path: Path) -> None:
    found = frame_cache(tmp_path)
    add_coefficients(tmp_path, "c0", frames=5)
    with pytest.raises(InputError, match=r"c0\.npz has 5 frames, its clip has 4"):
        rows_of(tmp_path, found)


def options(folder: Path) -> list[str]:
    places = {"dataset": dataset(folder / "set"), "cache": folder / "cache", "out": folder / "run"}
    numbers = {"network": "official", "images": 8, "batch": 2, "workers": 0}
    return [word for name, value in {**places, **numbers}.items() for word in (f"--{name}", str(value))]


def test_the_error_without_coefficients_gives_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes before anything is unpacked."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    outcome = run("train", "pirender", *options(tmp_path))
    assert outcome.exit_code == 3
    for text in ("2 clips of", "c0", f"dataset build CLIPS {tmp_path / 'set'} --space bfm", "weights add deep3d"):
        assert text in outcome.stderr
    assert not (tmp_path / "cache").exists()


def test_a_trained_network_is_added_and_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a data set to rendered pictures, which are those of the averaged network."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(inference, "compute_dtype", lambda **_: torch.float32)
    monkeypatch.setattr(command, "open_vgg", loss)
    monkeypatch.setattr(official, "PirenderConfig", lambda **_: TINY)
    add_coefficients(tmp_path / "set", "c0", "c1")
    command.main(options(tmp_path))
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    outcome = run("weights", "add", "pirender", checkpoint, "--name", "pirender-mine")
    assert outcome.exit_code == 0, outcome.stderr
    assert weights.lookup("pirender-mine").space == "bfm"
    threads = torch.get_num_threads()
    loaded = load_pirender(weights.find("pirender-mine").path)
    torch.set_num_threads(threads)
    mean, last = Pirender(TINY).eval(), network_state(checkpoint, "net")
    mean.load_state_dict(network_state(checkpoint))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, mean.state_dict()[name])
    assert not all(torch.equal(value, last[name]) for name, value in loaded.state_dict().items())
    rows = load_coefficients(path_of(tmp_path / "set", "c1", "bfm"), space=bfm.SPACE).descriptor_rows()  # type: ignore[attr-defined]
    picture = next(iter(clips()[1].frames))
    rendered = list(PirenderRenderer(FastPirender(loaded), picture).frames(rows))
    with torch.inference_mode():
        descriptors = torch.from_numpy(windows(rows)).float()
        made = mean(to_tensor(picture)[None].expand(len(descriptors), -1, -1, -1), descriptors).fake_image
    assert made is not None
    np.testing.assert_allclose(np.stack(rendered).astype(int), from_tensor(made), atol=1)
