"""What evaluations measure, on made-up cases whose figures are known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.evaluate import face_model as model_figures
from facepipe.evaluate import perception, reenactment
from facepipe.evaluate.perception import Figure, bundled_pictures, figures, surroundings
from facepipe.evaluate.reenactment import BARS, Run, compared, mean_psnr, rows_of, signals
from facepipe.face.fitting import fit
from facepipe.face.pose import Similarity, rotation_of
from facepipe.train.split import Item
from tests.face.faces import face_model


def clip_of(frames: int = 40, *, noise: float = 0.0) -> np.ndarray:
    """A head that turns, nods, tilts, speaks and blinks."""
    model, random = face_model(), np.random.default_rng(0)
    t = np.linspace(0, 2 * np.pi, frames)
    wave = np.stack([np.sin(t), np.sin(2 * t + 1), np.sin(3 * t + 2)], axis=1)
    speech = np.outer(0.5 + 0.5 * np.sin(5 * t), model.controls["mouth_open"].direction)
    blink = model.controls["blink_left"].direction + model.controls["blink_right"].direction
    lids = np.outer(np.maximum(0, np.sin(4 * t)), blink) * 0.8
    pose = Similarity(np.full(frames, 60.0), rotation_of(0.2 * wave), np.tile([128.0, 120, 0], (frames, 1)))
    points = pose.apply(model.shape(np.zeros(80), speech + lids))
    return np.asarray(points + random.normal(0, noise, points.shape), np.float32)


def item(name: str = "a.mp4") -> Item:
    return Item(Path(name), "clip", "id1", "25", False)


def labels(out: Path, role: str, points: np.ndarray, valid: np.ndarray) -> None:
    (out / "labels" / role / "clips").mkdir(parents=True, exist_ok=True)
    np.savez(out / "labels" / role / "clips" / "a.npz", points=points, valid=valid)


def test_psnr_leaves_the_first_frame_out() -> None:
    """An error of 10 grey levels everywhere is 28.13 dB, whatever frame 0 shows."""
    truth = [np.full((8, 8, 3), 100, np.uint8) for _ in range(4)]
    assert mean_psnr([truth[0] * 0, *(one + 10 for one in truth[1:])], truth) == pytest.approx(28.131, abs=1e-3)
    assert mean_psnr(truth, truth) > 100


def test_signals_are_what_the_head_does() -> None:
    """Angles in degrees of the made head, and gaps that follow its speech and its blinks."""
    points, t = clip_of(), np.linspace(0, 2 * np.pi, 40)
    found = signals(points, np.ones(40, bool), face_model())
    assert set(found) == set(BARS)
    for name, phase, times in (("pitch", 0, 1), ("yaw", 1, 2), ("roll", 2, 3)):
        np.testing.assert_allclose(found[name], np.degrees(0.2 * np.sin(times * t + phase)), atol=1.0)
    assert np.corrcoef(found["mouth opening"], np.sin(5 * t))[0, 1] > 0.9
    assert np.corrcoef(found["eye opening"], -np.maximum(0, np.sin(4 * t)))[0, 1] > 0.9


@pytest.mark.parametrize(("noise", "good"), [(0.0, True), (12.0, False)])
def test_a_faithful_repetition_correlates_and_noise_does_not(noise: float, good: bool, tmp_path: Path) -> None:
    """The same motion elsewhere gives 1 in every signal; trembling points pull the lids' correlation down."""
    valid = np.ones(40, bool)
    valid[5] = False
    labels(tmp_path, "driver", clip_of(), np.ones(40, bool))
    labels(tmp_path, "result", clip_of(noise=noise) + np.float32(7), valid)
    runs = [Run(item(), np.arange(40), 30.0, 20.0)]
    found, seen = compared(runs, tmp_path, face_model())
    assert seen == pytest.approx(39 / 40)
    assert all(pooled > 0.999 for pooled, _ in found.values()) == good
    table = list(rows_of(runs, found, seen))
    assert len(table) == len(BARS) + 3
    assert (table[4][3] == "yes") == (found["eye opening"][0] >= BARS["eye opening"])
    assert table[5][1:] == ("30.00", ">= 20.00", "yes")


def test_figures_are_held_against_their_bars() -> None:
    """Some must not be exceeded, others must be reached; the bar itself is good enough."""
    assert Figure("error", 3.5, 3.5, True, 1).met
    assert not Figure("error", 3.6, 3.5, True, 1).met
    assert Figure("recall", 98, 98, False, 1).met
    assert not Figure("recall", 97.9, 98, False, 1).met


def test_surroundings_hold_no_part_of_the_face() -> None:
    """What lies beside and below a head, wide enough to look at, and nothing of the head itself."""
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[80:200, 150:250] = 255
    parts = surroundings(picture, np.array([150, 80, 250, 200]))
    assert len(parts) == 3
    assert not any(part.any() for part in parts)
    assert surroundings(picture, np.array([10, 10, 390, 290])) == []


def test_the_bundled_pictures_are_pictures() -> None:
    """Several, RGB, each with something to see."""
    pictures = bundled_pictures()
    assert len(pictures) >= 5
    assert all(one.ndim == 3 and one.shape[2] == 3 and one.dtype == np.uint8 and one.std() > 5 for one in pictures)


def test_the_table_of_perception_is_made_of_what_the_judge_saw() -> None:
    """Shares and means come out in the units of their bars."""

    class StubJudge(perception.Judge):
        def __init__(self) -> None: ...

        def point_errors(self, kind: str) -> np.ndarray:
            return np.array([0.02, 0.04])

        def recalls(self) -> dict[str, tuple[int, int]]:
            return {"own size": (99, 100), "40 pixels": (90, 100)}

        def false_faces(self) -> tuple[int, int]:
            return 1, 400

        def jitter(self) -> np.ndarray:
            return np.array([0.002, 0.004])

    found = {figure.name: figure for figure in figures(StubJudge())}
    assert [round(figure.value, 6) for figure in found.values()] == [3.0, 3.0, 3.0, 99.0, 90.0, 0.5, 0.3]
    assert [figure.met for figure in found.values()] == [True, True, True, True, False, True, True]


def test_rest_is_where_the_mouth_is_closed() -> None:
    """The expression at rest is that of the most closed quarter, and movement is measured in eye distances."""
    points, model = clip_of().astype(np.float64), face_model()
    fitted = fit(model, points, np.ones(40, bool))
    rest = model_figures.rest_expression(fitted, points)
    speech = 0.5 + 0.5 * np.sin(5 * np.linspace(0, 2 * np.pi, 40))
    quiet = fitted.expression[np.argsort(speech)[:10]].mean(0)
    assert model_figures.movement(model, (rest - quiet)[None]) < 0.5 * model_figures.movement(model, fitted.expression)
    one = np.zeros((1, 64))
    one[0, 0] = 2.0
    expected = 2 * np.sqrt((model.expression[0] ** 2).sum(1).mean())
    assert model_figures.movement(model, one) == pytest.approx(expected)


def test_a_contact_sheet_shows_driver_above_result(tmp_path: Path) -> None:
    """Both rows are there, the driver's first."""
    from facepipe.media.image import read_image

    dark, bright = ([np.full((32, 32, 3), value, np.uint8)] * 9 for value in (40, 220))
    reenactment.write_sheet(tmp_path / "sheet.png", dark, bright)
    sheet = read_image(tmp_path / "sheet.png")
    assert np.median(sheet[: len(sheet) // 2]) == 40
    assert np.median(sheet[len(sheet) // 2 :]) == 220
    assert Fraction(sheet.shape[1], sheet.shape[0]) > 3
