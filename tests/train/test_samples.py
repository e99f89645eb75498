"""Training samples: scenes with targets, crops with points, augmentation."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from facepipe.checkpoint import save_network
from facepipe.face import topology as at
from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.face.detector import overlap
from facepipe.face.mirror import aligned_shapes, mirror_permutation
from facepipe.models.detector import STRIDE_PIXELS, Detector, DetectorConfig
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train import augment, crops, detector, landmarker, points
from facepipe.train.crops import FaceSamples, jittered, yaw_sine
from facepipe.train.loop import to_network
from facepipe.train.scenes import MAX_PIXELS, SceneSamples, targets
from tests.face.faces import face_model, posed
from tests.train.material import cache_of

SIZE, SCENE = 64, 96


def test_targets_decode_to_their_boxes() -> None:
    """The cell with heat 1 contains the centre of the face, and its four distances lead to the edges of the box."""
    boxes = [np.array([20.0, 30, 61, 78]), np.array([150.0, 140, 230, 250])]
    heat, box_log, weight = targets(boxes, 256)
    assert heat.shape == weight.shape == (32, 32)
    assert (heat == 1).sum() == 2
    for left, top, right, bottom in boxes:
        row, column = int((top + bottom) / 2 / STRIDE_PIXELS), int((left + right) / 2 / STRIDE_PIXELS)
        assert heat[row, column] == weight[row, column] == 1
        away = np.exp(box_log[:, row, column])
        x, y = column + 0.5, row + 0.5
        decoded = np.array([x - away[0], y - away[1], x + away[2], y + away[3]]) * STRIDE_PIXELS
        np.testing.assert_allclose(decoded, [left, top, right, bottom], rtol=1e-4)
    assert (weight[heat <= 0.35] == 0).all()
    assert not targets([], 256)[0].any()


@pytest.mark.parametrize("box", [(-30, -30, 20, 20), (240, 250, 300, 290), (0, 0, 256, 256)])
def test_faces_at_the_border_still_have_a_cell(box: tuple[float, ...]) -> None:
    """A centre on or outside the border is assigned to the outermost cell, with finite numbers."""
    heat, box_log, weight = targets([np.array(box, float)], 256)
    assert heat.max() == 1
    assert weight.max() > 0
    assert np.isfinite(box_log).all()


def test_the_loss_of_a_perfect_detection_is_near_zero() -> None:
    """The loss of the targets themselves is near zero, and every error costs."""
    heat, box_log, weight = (torch.from_numpy(one)[None] for one in targets([np.array([100.0, 90, 160, 170])], 256))
    perfect = torch.where(heat > 0.99, 12.0, -12.0)
    assert detector.heat_loss(perfect, heat) < 1e-3
    assert detector.heat_loss(-perfect, heat) > 5
    assert detector.box_loss(box_log, box_log, weight) < 1e-5
    costs = [float(detector.box_loss(box_log + shift, box_log, weight)) for shift in (0.1, 0.3, 1.0)]
    assert 0.05 < costs[0] < costs[1] < costs[2]
    assert torch.isfinite(detector.box_loss(box_log, box_log, weight * 0))


def test_scenes_contain_the_faces_they_declare() -> None:
    """Sixty scenes include some with none, one and several faces of all sizes, with boxes near the picture."""
    samples, random = SceneSamples(cache_of(size_pixels=128, ratio=4.0), 128, 0), np.random.default_rng(0)
    counts = []
    for _ in range(60):
        picture, boxes = samples.scene(random)
        counts.append(len(boxes))
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        for box in boxes:
            assert 0 < max(box[2:] - box[:2]) < MAX_PIXELS * 1.5
            middle = (box[:2] + box[2:]) / 2
            assert (middle > -20).all()
            assert (middle < 148).all()
    assert counts.count(0) > 5
    assert counts.count(1) > 15
    assert max(counts) >= 3


@pytest.mark.parametrize("pixels", [16.0, 40.0, 100.0])
def test_a_placed_face_is_in_its_box(pixels: float) -> None:
    """Rendered on black, the face fills the returned box, at the requested size and position."""
    cache, random = cache_of(size_pixels=128), np.random.default_rng(1)
    samples, canvas, center = SceneSamples(cache, 160, 0), np.zeros((160, 160, 3), np.uint8), np.array([85.0, 70.0])
    box = samples.place(canvas, 0, pixels, center, random, reach=0.62)
    rows, columns = np.nonzero(canvas.any(-1))
    rendered = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
    assert overlap(box, rendered) > 0.3
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, center, atol=0.12 * pixels)
    assert 0.8 * pixels < max(box[2:] - box[:2]) < 1.5 * pixels
    inside = canvas[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])]
    # Skin is red before blue, the painted background the other way round.
    assert (inside[..., 0] > inside[..., 2]).mean() > 0.5


def test_backgrounds_have_the_size_of_a_scene() -> None:
    """Covered heads still give pictures of the right size."""
    samples, random = SceneSamples(cache_of(size_pixels=128, ratio=4.0), 96, 0), np.random.default_rng(2)
    for _ in range(20):
        assert samples.background(random).shape == (96, 96, 3)


def test_mirror_partners_are_found_and_pair_up() -> None:
    """From asymmetric moving faces: an involution, the same as the face model's, with lips and eyes exchanged."""
    mirror = mirror_permutation(np.concatenate([cache_of().points, posed()[None]]))
    np.testing.assert_array_equal(mirror[mirror], np.arange(478))
    assert mirror[at.MOUTH_RIGHT] == at.MOUTH_LEFT
    assert mirror[at.RIGHT_IRIS[0]] == at.LEFT_IRIS[0]
    assert (mirror == face_model().mirror).mean() > 0.97


def test_sampled_points_lie_on_the_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turned, jittered and mirrored, the points stay on the face: the painted lips are red where the points say."""
    monkeypatch.setattr(crops, "weather", lambda picture, *_: picture)
    samples = FaceSamples(cache_of(size_pixels=160), face_model().mirror.astype(int), 128, 0)
    random, red, faces = np.random.default_rng(3), [], 0
    for _ in range(60):
        picture, points, face = samples.sample(random)
        if not face:
            continue
        faces += 1
        x, y = (points[[0, 17], :2].mean(0) * 128).round().astype(int)
        if 0 < x < 127 and 0 < y < 127:
            red.append(picture[y, x])
        # Mirrored or not, the subject's left eye is on the right of the upright picture.
        turn = aligned_crop(points).angle_radians
        across = points[at.LEFT_EYE_OUTER, :2] - points[at.RIGHT_EYE_OUTER, :2]
        assert across[0] * np.cos(turn) + across[1] * np.sin(turn) > 0
        assert abs(turn) < np.radians(60)
    assert faces > 40
    colours = np.array(red, int)
    assert (colours[:, 0] - colours[:, 1] > 60).mean() > 0.9


def test_crops_without_a_face_contain_none() -> None:
    """Beside a face or a small part of a picture: never the whole face in its usual frame."""
    cache, random = cache_of(), np.random.default_rng(4)
    samples = FaceSamples(cache, np.arange(478), SIZE, 0)
    for index in range(len(cache.points)):
        crop = aligned_crop(cache.points[index])
        for _ in range(10):
            other = samples.beside(crop, random)
            away = np.hypot(other.center_x - crop.center_x, other.center_y - crop.center_y)
            assert away > 0.5 * crop.side or other.side < 0.5 * crop.side


def test_jitter_stays_within_what_tracking_and_detection_do() -> None:
    """A detection's crop is rotated by up to 45 degrees and varies more than one of tracking."""
    random, crop = np.random.default_rng(5), SquareCrop(50, 60, 40, 0.2)
    spread = []
    for as_detection in (False, True):
        made = [jittered(crop, random, as_detection=as_detection) for _ in range(300)]
        turns = np.array([one.angle_radians - 0.2 for one in made])
        sides = np.array([one.side for one in made])
        spread.append((np.abs(turns).max(), sides.std(), np.std([one.center_x for one in made])))
    assert all(wide > narrow for narrow, wide in zip(*spread, strict=True))
    assert np.radians(45) < spread[1][0] < np.radians(50)
    assert spread[0][0] < np.radians(8)


def test_turned_heads_are_known_from_their_depth() -> None:
    """The sine of yaw is that of the rendered heads, to either side."""
    heads = np.stack([posed(degrees=(0, yaw, 0)) for yaw in (-40, 0, 25)]).astype(np.float32)
    np.testing.assert_allclose(yaw_sine(heads), np.sin(np.radians([40, 0, 25])), atol=0.03)


@pytest.mark.parametrize("name", ["light", "blur", "compress", "noise", "occlude", "weather"])
def test_augmentation_keeps_size_and_dtype(name: str) -> None:
    """Every change returns a picture of the same form, leaves its input unchanged, and repeats with its seed."""
    picture = cache_of().pictures[0].copy()
    change = getattr(augment, name)
    others = (picture[::-1],) if name in ("occlude", "weather") else ()
    for seed in range(12):
        kept = picture.copy()
        first, again = (change(picture, *others, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == picture.shape
        assert first.dtype == np.uint8
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(picture, kept)
    assert len({augment.texture(16, np.random.default_rng(seed)).tobytes() for seed in range(5)}) == 5


def test_streams_repeat_with_their_seed() -> None:
    """The same seed gives the same samples, another seed others."""
    cache = cache_of()
    for make in (
        lambda seed: FaceSamples(cache, np.arange(478), SIZE, seed),
        lambda seed: SceneSamples(cache, SCENE, seed),
    ):
        first, again, other = (
            [part for sample in itertools.islice(iter(make(seed)), 3) for part in sample] for seed in (1, 1, 2)
        )
        assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
        assert not all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_one_step_of_each_training_has_a_gradient_everywhere() -> None:
    """Samples fit their networks and losses: the loss is finite, and every parameter has a finite gradient."""
    cache = cache_of()
    nets = (
        (Detector(DetectorConfig((8, 8, 8), (1, 1, 1))), detector.loss_of, SceneSamples(cache, SCENE, 0)),
        (
            Landmarker(LandmarkerConfig(SIZE, (8, 8, 8), (1, 1, 1), 2, 8, 16)),
            landmarker.loss_of,
            FaceSamples(cache, np.arange(478), SIZE, 0),
        ),
    )
    for net, loss_of, samples in nets:
        batch = [torch.stack(parts) for parts in zip(*itertools.islice(iter(samples), 8), strict=True)]
        loss = loss_of(net, batch)  # type: ignore[arg-type]
        loss.backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(loss)
        assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in net.parameters())
        assert sum(float(value.grad.abs().sum()) > 0 for value in net.parameters() if value.grad is not None) > 10


def test_the_loss_of_points_counts_faces_only() -> None:
    """Perfect points cost almost nothing; crops without a face affect only the score's part."""
    truth = torch.from_numpy(aligned_shapes(cache_of().points))
    face, sure = torch.ones(len(truth)), torch.full((len(truth),), 12.0)
    assert landmarker.face_loss(truth, sure, truth, face) < 0.02
    worse = [float(landmarker.face_loss(truth + shift, sure, truth, face)) for shift in (0.01, 0.05)]
    assert 0.03 < worse[0] < worse[1]
    assert landmarker.face_loss(truth + 5, -sure, truth, face * 0) < 0.02
    assert landmarker.face_loss(truth, -sure, truth, face) > 0.3


def test_a_turn_is_found_in_small_errors() -> None:
    """The angle of a rotation is recovered; shifts and growth do not count as rotations."""
    truth = aligned_shapes(cache_of().points)[:3].astype(float)
    centred = truth - truth.mean(1, keepdims=True)
    vectors = np.array([[0.02, 0, 0], [0, -0.01, 0.01], [0.004, 0.003, 0]])
    turned = np.stack([Rotation.from_rotvec(v).apply(face) for v, face in zip(vectors, centred, strict=True)])
    error = turned - centred + 0.3
    found = points.turns(torch.from_numpy(error), torch.from_numpy(truth)).numpy()
    np.testing.assert_allclose(found, np.linalg.norm(vectors, axis=1), rtol=0.01)
    grown = points.turns(torch.from_numpy(0.1 * centred), torch.from_numpy(truth))
    assert grown.max() < 1e-3


def test_the_landmarker_starts_at_a_released_file_of_another_size(tmp_path: Path) -> None:
    """Features of a flat picture are those of the file's network, at the finer size."""
    torch.manual_seed(0)
    small, large = (LandmarkerConfig(size, (8, 8), (1, 1), 2, 8, 16) for size in (32, 64))
    given = Landmarker(small).eval()
    save_network(copy.deepcopy(given), tmp_path / "landmarker.safetensors", kind="landmarker")
    net = Landmarker(large)
    flat = torch.randint(0, 256, (4, 3, 1, 1), dtype=torch.uint8).expand(4, 3, 64, 64).contiguous()
    landmarker.start_at_file(net, tmp_path / "landmarker.safetensors", flat)
    cells = torch.randn(16, 8 * net.cells**2 // 4)
    wide = landmarker.resized(cells, net.cells // 2, net.cells)
    ones = torch.ones(1, 8, 1, 1)
    torch.testing.assert_close(
        wide @ ones.expand(1, 8, net.cells, net.cells).flatten(),
        cells @ ones.expand(1, 8, net.cells // 2, net.cells // 2).flatten(),
        atol=1e-4,
        rtol=1e-4,
    )
    with torch.no_grad():
        middle = [
            found.features(picture)[..., found.cells // 2, found.cells // 2]
            for found, picture in ((given, to_network(flat[..., :32, :32])), (net.eval(), to_network(flat)))
        ]
    torch.testing.assert_close(middle[1], middle[0], atol=2e-2, rtol=2e-2)


def test_the_landmarker_starts_at_the_mean_of_real_faces() -> None:
    """With the last layer at the principal components, code 0 is the mean, and faces are distinguishable."""
    shapes = aligned_shapes(cache_of().points)
    net = Landmarker(LandmarkerConfig(SIZE, (8, 8, 8), (1, 1, 1), 2, 8, 16))
    landmarker.start_at_components(net, shapes)
    np.testing.assert_allclose(
        net.shape(torch.zeros(1, 16)).detach().numpy().reshape(478, 3), shapes.mean(0), atol=1e-5
    )
    weight = net.shape.weight.detach().numpy().astype(float)
    wanted = (shapes[0] - shapes.mean(0)).ravel()
    code = np.linalg.lstsq(weight, wanted, rcond=1e-4)[0]
    np.testing.assert_allclose(weight @ code, wanted, atol=1e-3)
