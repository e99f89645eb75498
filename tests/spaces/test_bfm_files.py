"""Coefficient files of the published programs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from facepipe.errors import InputError
from facepipe.face.bfm.layout import GROUPS
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.bfm.descriptor import windows
from facepipe.spaces.bfm.files import read_official, write_official
from tests.faults.program import run
from tests.fixtures import load_fixture

FPS = Fraction(25)
RNG = np.random.default_rng(0)
ROWS, SCALES = RNG.normal(size=(4, 257)), RNG.uniform(0.8, 1.5, 4)
TRANSFORMS = np.stack([np.full(4, 256), np.full(4, 256), SCALES, 128 + 9 * SCALES, 120 - SCALES], axis=1)


def joined(found: BfmCoefficients) -> NDArray[np.floating]:
    return np.concatenate([getattr(found, name) for name in GROUPS], axis=1)


def test_pirender_mat_round_trips(tmp_path: Path) -> None:
    """Coefficients and alignments of a clip."""
    savemat(tmp_path / "a.mat", {"coeff": np.float32(ROWS), "transform_params": np.float32(TRANSFORMS)})
    found = read_official(tmp_path / "a.mat", FPS)
    np.testing.assert_allclose(joined(found), ROWS, rtol=1e-6)
    np.testing.assert_allclose(found.crops, TRANSFORMS[:, 2:], rtol=1e-6)
    write_official(found, tmp_path / "b.mat")
    again = read_official(tmp_path / "b.mat", FPS)
    np.testing.assert_array_equal(joined(again), joined(found))
    np.testing.assert_array_equal(again.crops, found.crops)


def test_pirender_txt_round_trips(tmp_path: Path) -> None:
    """The 262 numbers of the fixture also give its descriptor window."""
    stored = load_fixture("pirender_descriptor")[0]
    numbers = stored["input.image_262"].numpy().copy()
    window = stored["output.image_window"].numpy()
    numbers[257:259] = 256
    (tmp_path / "a_3dmm_coeff.txt").write_text("\n".join(map(repr, map(float, numbers))))
    found = read_official(tmp_path / "a_3dmm_coeff.txt", FPS)
    np.testing.assert_allclose(windows(found.descriptor_rows())[0], window, rtol=1e-6)
    write_official(found, tmp_path / "b.txt")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "b.txt", np.float32), np.float32(numbers))


def test_deep3dfacerecon_mat_is_read(tmp_path: Path) -> None:
    """Groups are joined in our order. The file has no alignment, so the face is assumed to fill the frame."""
    names = {"identity": "id", "expression": "exp", "texture": "tex", "lighting": "gamma", "translation": "trans"}
    content = {name: ROWS[:, GROUPS[group]] for group, name in names.items()} | {"angle": ROWS[:, GROUPS["angles"]]}
    savemat(tmp_path / "a.mat", content | {"lm68": np.zeros((4, 68, 2))})
    found = read_official(tmp_path / "a.mat", FPS)
    np.testing.assert_array_equal(joined(found), ROWS)
    np.testing.assert_allclose(found.crops, np.tile((102 / 128, 128, 128), (4, 1)), rtol=1e-6)


def test_dreamtalk_npy_is_read(tmp_path: Path) -> None:
    """The file has the channel order of a descriptor."""
    motion = RNG.uniform(0.5, 1.5, size=(5, 73))
    np.save(tmp_path / "a.npy", motion)
    found = read_official(tmp_path / "a.npy", Fraction(30000, 1001))
    np.testing.assert_allclose(found.descriptor_rows(), motion)
    assert found.fps == Fraction(30000, 1001)


def test_alignments_are_converted_to_256_pixel_frames(tmp_path: Path) -> None:
    """In a frame of half the size, the scale doubles and the position halves."""
    half = TRANSFORMS * (0.5, 0.5, 2, 0.5, 0.5)
    savemat(tmp_path / "a.mat", {"coeff": ROWS, "transform_params": half})
    np.testing.assert_allclose(read_official(tmp_path / "a.mat", FPS).crops, TRANSFORMS[:, 2:])


Make = Callable[[Path], object]


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("gone.mat", lambda path: None, "does not exist"),
        ("a.mat", lambda path: path.write_bytes(b"hello"), "not a published coefficient file"),
        ("a.mat", lambda path: savemat(path, {"x": 1}), "neither coeff nor id, exp"),
        ("a.mat", lambda path: savemat(path, {"coeff": ROWS}), "transform_params"),
        ("a.mat", lambda path: savemat(path, {"coeff": ROWS[:, :80], "transform_params": TRANSFORMS}), "257"),
        (
            "a.mat",
            lambda path: savemat(path, {"coeff": ROWS, "transform_params": TRANSFORMS[:2]}),
            r"expected \(4, 5\)",
        ),
        ("a.mat", lambda path: savemat(path, {"coeff": ROWS * np.nan, "transform_params": TRANSFORMS}), "not finite"),
        (
            "a.mat",
            lambda path: savemat(path, {"coeff": ROWS, "transform_params": TRANSFORMS * (2, 1, 1, 1, 1)}),
            "square",
        ),
        ("a.txt", lambda path: path.write_text("1 2 3"), "3 numbers, expected 262"),
        ("a.txt", lambda path: path.write_text("one\n" * 262), "could not convert"),
        ("a.npy", lambda path: np.save(path, np.zeros((3, 70))), r"expected \(N, 73\)"),
        ("a.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "not a published coefficient file"),
    ],
)
def test_other_files_are_rejected(tmp_path: Path, name: str, make: Make, message: str) -> None:
    """The error gives the reason."""
    make(tmp_path / name)
    with pytest.raises(InputError, match=message):
        read_official(tmp_path / name, FPS)


def test_the_command_converts_in_both_directions(tmp_path: Path) -> None:
    """It rejects existing outputs and conversions between files of the same kind."""
    savemat(tmp_path / "a.mat", {"coeff": ROWS, "transform_params": TRANSFORMS})
    assert run("convert", tmp_path / "a.mat", "-o", tmp_path / "a.npz", "--fps", "30").exit_code == 0
    outcome = run("convert", tmp_path / "a.npz", "-o", tmp_path / "b.mat")
    assert (outcome.exit_code, outcome.stdout.strip()) == (0, str(tmp_path / "b.mat"))
    np.testing.assert_allclose(joined(read_official(tmp_path / "b.mat", FPS)), ROWS, rtol=1e-6)
    cases = [
        ("a.mat", "b.mat", 2, "expected .mat, .txt, .npy with -o NAME.npz"),
        ("a.npz", "b.mat", 3, "--overwrite"),
        ("a.npz", "c.txt", 3, "there are 4"),
        ("a.mat", "c.npz --fps 0", 2, "--fps"),
        ("gone.mat", "c.npz", 3, "gone.mat"),
    ]
    for source, out, code, message in cases:
        name, *more = out.split()
        outcome = run("convert", tmp_path / source, "-o", tmp_path / name, *more)
        assert outcome.exit_code == code, outcome.stderr
        assert message in outcome.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mat", "a.npz", "b.mat"]
