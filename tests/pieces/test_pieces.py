"""Results computed in pieces, blocks, batches or on several threads equal those of the whole, byte for byte.

`test_processors` repeats these tests with other instruction sets, in which other shapes round equally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from facepipe import weights
from facepipe.checkpoint import header_of
from facepipe.device import set_threads
from facepipe.face import fitting
from facepipe.face.bfm.layout import split
from facepipe.face.bfm.matlab import converted
from facepipe.face.bfm.model import BfmModel
from facepipe.face.bfm.network import KIND, Regressor
from facepipe.face.cropping import SquareCrop
from facepipe.face.fitting import fit
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, angles_of, rotation_of
from facepipe.models.blocks import fold_norms
from facepipe.models.deep3d import CoefficientNetwork, Deep3dConfig
from facepipe.models.rows import full_batches, row_combination, row_product
from facepipe.motion import features as sound_features
from facepipe.motion.audio_model import AudioToMotion
from facepipe.motion.features import Features
from facepipe.motion.sampling import max_lookahead, sample_motion
from facepipe.motion.synthesis import SamplingOptions, synthesise
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet, in_precision
from facepipe.renderers.compact.renderer import CompactRenderer
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.renderer import PirenderRenderer
from facepipe.spaces.coefficients import from_fit
from facepipe.spaces.smoothing import smooth
from tests.face.bfm.invented import invented_model
from tests.face.faces import face_model
from tests.motion.test_audio_model import SMALL, someone
from tests.renderers import painted
from tests.renderers.pirender.test_inference import lively

Array = NDArray[Any]
SIZE, FRAMES = 64, 4
SIZES = (1, 2, 3, 5, 7)
"""Sizes of pieces, in frames."""
FEW_SIZES = (1, 3)
"""Sizes of pieces in slower tests."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread, as the program does after loading a network."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def dice() -> np.random.Generator:
    return np.random.default_rng(7)


def same(made: Callable[[int, int], Array], count: int, sizes: tuple[int, ...] = SIZES) -> Array:
    """Check that `made(first, end)` of consecutive pieces of each size joins to `made(0, count)`, which is returned."""
    whole = made(0, count)
    for size in sorted({*sizes, count - 1}):
        parts = [made(first, min(first + size, count)) for first in range(0, count, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole, err_msg=f"pieces of {size}")
    return whole


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("inner", "outer"), [(24, 64), (64, 1434), (513, 40)])
def test_rows_of_a_product(inner: int, outer: int, dtype: type) -> None:
    rows: Array = dice().normal(size=(50, inner)).astype(dtype)
    matrix: Array = dice().normal(size=(inner, outer)).astype(dtype)
    np.testing.assert_allclose(row_product(rows, matrix), rows @ matrix, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(row_product(rows, matrix[:, 0]), rows @ matrix[:, 0], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(row_product(np.asfortranarray(rows), matrix), row_product(rows, matrix))
    same(lambda first, end: row_product(rows[first:end], matrix), len(rows))
    same(lambda first, end: row_product(rows[first:end], matrix[:, 0].copy()), len(rows))
    directions = matrix.reshape(inner, -1, 2)
    same(lambda first, end: row_combination(rows[first:end], directions), len(rows))


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_batches_are_full(count: int) -> None:
    batches = list(full_batches(range(count), 2))
    assert [len(batch) for batch in batches] == [2] * -(-count // 2)
    assert [item for batch in batches for item in batch] == [*range(count), *[count - 1] * (count % 2)]


def test_rotations_and_angles() -> None:
    angles = dice().normal(0, 0.4, (23, 3))
    same(lambda first, end: rotation_of(angles[first:end]), 23)
    same(lambda first, end: angles_of(rotation_of(angles)[first:end]), 23)


def test_smoothing_away_from_the_ends_of_a_clip() -> None:
    rows = dice().normal(size=(60, 64))
    filtered, fitted = smooth(rows, "one-euro", 25, 0.2), smooth(rows, "savitzky-golay", 25, 0.2)
    for end in (31, 44, 59):
        np.testing.assert_array_equal(smooth(rows[:end], "one-euro", 25, 0.2), filtered[:end])
        np.testing.assert_array_equal(smooth(rows[:end], "savitzky-golay", 25, 0.2)[: end - 5], fitted[: end - 5])
        np.testing.assert_array_equal(smooth(rows[60 - end :], "savitzky-golay", 25, 0.2)[5:], fitted[65 - end :])


def clip_of_points(model: FaceModel, count: int) -> Array:
    random = dice()
    rotations = rotation_of(random.normal(0, 0.2, (count, 3)))
    pose = Similarity(random.uniform(80, 120, count), rotations, random.normal(150, 20, (count, 3)))
    shapes = model.shape(random.normal(0, 0.3, 80), random.normal(0, 0.4, (count, 64)))
    return pose.apply(shapes) + random.normal(0, 0.4, shapes.shape)


def test_a_fit_of_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a known identity each frame is fitted separately; without, a clip is fitted in blocks of any size."""
    model = face_model().restricted(face_model().sixty_eight)
    points, identity = clip_of_points(model, 11), dice().normal(0, 0.3, 80)

    def fitted(first: int, end: int) -> Array:
        valid = np.ones(end - first, bool)
        found = fit(model, points[first:end], valid, identity=identity)
        crop = SquareCrop(140, 160, 300, 0.1)
        rows = from_fit(found, valid, fps=Fraction(25), crop=crop, picture_size=(400, 400))
        pose = [part.reshape(end - first, -1) for part in found.pose]
        return np.column_stack([found.expression, found.residual, rows.angles, rows.translation, *pose])

    same(fitted, 11, FEW_SIZES)
    whole = fit(model, points, np.ones(11, bool))
    for size in (1, 3, 10):
        monkeypatch.setattr(fitting, "BLOCK_FRAMES", size)
        found = fit(model, points, np.ones(11, bool))
        np.testing.assert_array_equal(found.identity, whole.identity)
        np.testing.assert_array_equal(found.expression, whole.expression)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(12)], ids=str)
def test_sound_in_blocks(fps: Fraction, monkeypatch: pytest.MonkeyPatch) -> None:
    bands = abs(dice().normal(size=(1025, 40)))
    monkeypatch.setattr(sound_features, "_filters", lambda size: bands[: size // 2 + 1])
    sound = dice().normal(0, 0.1, 30_123).astype(np.float32)

    def analysed(size: int) -> list[Array]:
        blocks = [sound[first : first + size] for first in range(0, len(sound), size)]
        return [np.concatenate(parts) for parts in zip(*sound_features._columns(blocks, fps), strict=True)]

    whole = analysed(len(sound))
    for size in (317, 1999, 4096, 30_000):
        for part, wanted in zip(analysed(size), whole, strict=True):
            np.testing.assert_array_equal(part, wanted)


def speech_and_sound(count: int) -> tuple[AudioToMotion, Features]:
    torch.manual_seed(1)
    speech = AudioToMotion(replace(SMALL, encoder_width=32, directions=24, hidden=16, controls=10, memory=4))
    speech.eval().requires_grad_(False)
    for name, value in {"column_deviation": 3.0, "deviation": 0.3, "innovation": 0.4, "emphasis": 1.0}.items():
        getattr(speech, name).fill_(value)
    for tensor in (speech.encode, speech.decode, speech.prediction):
        tensor.normal_(std=0.1)
    for step in speech.flow.each:
        torch.nn.init.normal_(step.f.linear.weight, std=0.2)
    random = dice()
    heard = Features(
        log_mel=random.normal(-8, 3, (count, 40)).astype(np.float32),
        energy=random.normal(-30, 5, count).astype(np.float32),
        voicing=random.random(count).astype(np.float32),
        fps=Fraction(25),
        level_db=-23.0,
    )
    return speech, heard


@pytest.mark.parametrize("lookahead", [99, 3])
def test_motion_of_the_beginning_of_a_sound(lookahead: int) -> None:
    """Later sound does not affect earlier frames, except within the lookahead and in the last sampled latents."""
    speech, heard = speech_and_sound(80)

    def sampled(count: int) -> list[Array]:
        parts = {name: getattr(heard, name)[:count] for name in ("log_mel", "energy", "voicing")}
        beginning = replace(heard, **parts)
        blocks = sample_motion(speech, beginning, torch.Generator().manual_seed(3), lookahead=lookahead)
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    whole = sampled(80)
    for count in (41, 63, 79):
        kept = count - min(lookahead, max_lookahead(speech)) - 1
        for part, wanted in zip(sampled(count), whole, strict=True):
            np.testing.assert_array_equal(part[:kept], wanted[:kept])


def test_motion_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    speech, heard = speech_and_sound(40)

    def made(block_frames: int) -> Array:
        monkeypatch.setattr("facepipe.motion.synthesis.BLOCK_FRAMES", block_frames)
        motion = synthesise(face_model(), speech, someone(), heard, SamplingOptions(), fps=Fraction(30), count=48)
        return np.concatenate([motion.expression, motion.angles, motion.translation], axis=1)

    whole = made(48)
    for size in (*SIZES, 47):
        np.testing.assert_array_equal(made(size), whole)


def pictures(count: int, size: int) -> list[NDArray[np.uint8]]:
    random = dice()
    return [cv2.GaussianBlur(random.integers(0, 256, (size, size, 3), np.uint8), (0, 0), 3) for _ in range(count)]  # type: ignore[misc]


def test_landmarks_of_several_crops() -> None:
    landmarker, given = Landmarker(weights.find("landmarker").path), pictures(5, 150)
    crops = [SquareCrop(75 + shift, 75, 100 + 3 * shift, 0.1 * shift) for shift in range(5)]

    def located(first: int, end: int) -> Array:
        found = landmarker.locate(given[first:end], crops[first:end])
        return np.column_stack([found.points.reshape(end - first, -1), found.score])

    same(located, 5, FEW_SIZES)


def test_estimates_of_bfm_coefficients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates are independent of the batch size and the number of threads."""
    torch.manual_seed(0)
    net = CoefficientNetwork(Deep3dConfig(width=16, depths=(1, 1, 1, 1))).eval()
    for layer in net.final_layers:
        torch.nn.init.normal_(layer.weight, std=0.1)  # type: ignore[arg-type]
    tensors = {name: tensor.contiguous() for name, tensor in fold_norms(net).state_dict().items()}
    save_file(tensors, tmp_path / "net.safetensors", header_of(KIND, net.config))
    squares = pictures(FRAMES, 224)

    def estimated(first: int, end: int, threads: int = 2) -> Array:
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        return Regressor(tmp_path / "net.safetensors").estimate(squares[first:end])

    whole = same(estimated, FRAMES, FEW_SIZES)
    for threads in (1, 3):
        np.testing.assert_array_equal(estimated(0, FRAMES, threads), whole)


def test_points_of_the_bfm_model() -> None:
    model, rows = BfmModel(**converted(invented_model())), dice().normal(0, 0.3, (9, 257)).astype(np.float32)
    same(lambda first, end: model.landmarks(split(rows[first:end])), len(rows))


def scene() -> tuple[MeshRenderer, Array, Similarity]:
    source, random = painted.portrait(SIZE, painted.closed(), painted.pose_at(SIZE)), dice()
    expression = painted.closed() + random.normal(0, 0.2, (FRAMES, 64))
    poses = [painted.pose_at(SIZE, tuple(random.normal(0, 6, 3))) for _ in range(FRAMES)]
    return MeshRenderer(face_model(), source), expression, Similarity(*map(np.concatenate, zip(*poses, strict=True)))


def test_frames_of_the_mesh_renderer() -> None:
    renderer, expression, pose = scene()

    def rendered(first: int, end: int) -> Array:
        return np.stack(list(renderer.frames(expression[first:end], pose.rows(slice(first, end)))))

    before, whole = cv2.getNumThreads(), same(rendered, FRAMES, FEW_SIZES)
    for threads in (1, 2):
        set_threads(threads)
        np.testing.assert_array_equal(rendered(0, FRAMES), whole)
    cv2.setNumThreads(before)


@pytest.mark.parametrize(("side", "dtype"), [(SIZE, torch.float32), (SIZE // 2, torch.float32), (SIZE, torch.bfloat16)])
def test_frames_of_the_compact_renderer(side: int, dtype: torch.dtype) -> None:
    """Frames are independent of segment size and threads, also if the network's size differs from the picture's."""
    prior, expression, pose = scene()
    torch.manual_seed(0)
    net = CompactNet(CompactConfig(side_pixels=side)).eval().requires_grad_(False)
    for value in net.parameters():
        # Large values, because pictures are rounded to integers.
        value.add_(0.1 * torch.randn_like(value))
    net = in_precision(net, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source = painted.portrait(SIZE, painted.closed(), painted.pose_at(SIZE))

    def rendered(first: int, end: int, threads: int = 1) -> Array:
        renderer = CompactRenderer(net, face_model(), source, prior, threads=threads)
        return np.stack(list(renderer.frames(expression[first:end], pose.rows(slice(first, end)))))

    whole = same(rendered, FRAMES, FEW_SIZES)
    for threads in (0, 2):
        np.testing.assert_array_equal(rendered(0, FRAMES, threads), whole)


def test_frames_of_the_pirender_renderer() -> None:
    """Frames are independent of segment size and number of threads."""
    rows, picture = dice().normal(size=(FRAMES, 73)), pictures(1, SIZE)[0]
    config = PirenderConfig(latent=64, warping_width=16, editing_width=16, widest=32, residual_blocks=1)
    renderers = {
        threads: PirenderRenderer(
            FastPirender(lively(config), dtype=torch.float32, threads=threads), picture, threads=threads
        )
        for threads in (1, 2, 3)
    }

    def rendered(first: int, end: int, threads: int = 2) -> Array:
        made = [part.fake_image for part in renderers[threads].renderings(rows, first, end)]
        return torch.cat([part for part in made if part is not None]).numpy()

    whole = same(rendered, FRAMES, FEW_SIZES)
    for threads in (1, 3):
        np.testing.assert_array_equal(rendered(0, FRAMES, threads), whole)
