"""The motion space `imf_tokens`: tokens move by their differences, and everything else is an edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import InputError, UsageError
from facepipe.motion.drawing import interpolated_through
from facepipe.motion.editing import apply_edit
from facepipe.motion.sliders import Edit
from facepipe.spaces import imf_tokens, linear478
from facepipe.spaces.coefficients import Coefficients, joined
from facepipe.spaces.files import load_coefficients, read_header, save_coefficients
from facepipe.spaces.imf_tokens.coefficients import TokenCoefficients, motion_rows, with_tokens
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.smoothing import smoothed
from tests.face.faces import face_model
from tests.spaces.test_retargeting import made

MODEL = face_model()
SPACE = imf_tokens.SPACE


def seen(seed: int, count: int, network: str = "a" * 64) -> TokenCoefficients:
    """Return coefficients as from pixels."""
    return with_tokens(made(seed, count), np.random.default_rng(seed).normal(0, 3, (count, 32)), network)


SOURCE, DRIVING = seen(1, 1), seen(2, 12)


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, *, no_face: str = "hold"
) -> TokenCoefficients:
    found = SPACE.retarget(source, driving, how, MODEL, no_face=no_face)
    assert isinstance(found, TokenCoefficients)
    return found


def check_is_source(found: TokenCoefficients) -> None:
    """Check that every frame shows the source's own token, without an edit."""
    np.testing.assert_allclose(found.tokens, np.repeat(SOURCE.tokens, len(found), 0), atol=1e-12)
    np.testing.assert_allclose(found.edits, 0, atol=1e-12)


def test_the_source_as_its_own_driver_returns_its_token() -> None:
    for how in (Retargeting(), Retargeting(strength=1.7), Retargeting(motion="absolute", scale="driver")):
        check_is_source(retarget(SOURCE, SOURCE, how))


def test_relative_motion_adds_the_change_since_the_reference() -> None:
    """The mouth of the source is closed, so that nothing is taken back of it, and size and place are the driver's."""
    how = Retargeting(reference="3", strength=0.5, scale="driver")
    found = retarget(SOURCE, DRIVING, how)
    expected = SOURCE.tokens + 0.5 * (DRIVING.tokens - DRIVING.tokens[3])
    np.testing.assert_allclose(found.tokens, expected)
    np.testing.assert_allclose(found.edits, 0, atol=1e-12)
    np.testing.assert_array_equal(found.tokens[3], SOURCE.tokens[0])


def test_each_shot_has_its_reference() -> None:
    shot = np.repeat([0, 1], 6).astype(np.int32)
    found = retarget(SOURCE, replace(DRIVING, shot=shot), Retargeting(reference="first"))
    for first in (0, 6):
        rows = slice(first, first + 6)
        np.testing.assert_allclose(found.tokens[rows], SOURCE.tokens + DRIVING.tokens[rows] - DRIVING.tokens[first])


def test_absolute_motion_takes_the_drivers_token() -> None:
    found = retarget(SOURCE, DRIVING, Retargeting(motion="absolute", scale="driver"))
    np.testing.assert_allclose(found.tokens, DRIVING.tokens)
    np.testing.assert_allclose(found.edits, 0, atol=1e-12)


@pytest.mark.parametrize(
    "how",
    [
        Retargeting(),
        Retargeting(scale="source", strength=0.7),
        Retargeting(motion="absolute"),
        Retargeting(motion="absolute", strength=0.4),
        Retargeting(only="pose"),
        Retargeting(only="expression", motion="absolute"),
    ],
    ids=str,
)
def test_arrays_move_as_in_linear478_and_edits_are_what_tokens_lack(how: Retargeting) -> None:
    linear = linear478.SPACE.retarget(SOURCE, DRIVING, how, MODEL)
    found = retarget(SOURCE, DRIVING, how)
    np.testing.assert_array_equal(motion_rows(found), motion_rows(linear))
    if how.only != "all":
        np.testing.assert_array_equal(found.tokens, np.repeat(SOURCE.tokens, 12, 0))
        np.testing.assert_allclose(found.edits, motion_rows(linear) - motion_rows(SOURCE))
        return
    # What a token contains changes with it: for every frame, by the same rule as the token itself.
    weights = np.linalg.lstsq(DRIVING.tokens.T, (found.tokens - found.tokens[0]).T, rcond=None)[0]
    contained = weights.T @ motion_rows(DRIVING)
    np.testing.assert_allclose(found.shown - found.shown[0], contained, atol=1e-6)


def test_a_driver_without_tokens_edits_the_sources() -> None:
    plain = made(2, 12)
    found = retarget(SOURCE, plain, Retargeting(strength=0.8))
    linear = linear478.SPACE.retarget(SOURCE, plain, Retargeting(strength=0.8), MODEL)
    np.testing.assert_array_equal(found.tokens, np.repeat(SOURCE.tokens, 12, 0))
    np.testing.assert_allclose(found.edits, motion_rows(linear) - motion_rows(SOURCE))


def test_tokens_of_another_network_are_refused() -> None:
    with pytest.raises(InputError, match="the driver's tokens are of the network bbbbbbbbbbbb, but the source's"):
        retarget(SOURCE, seen(2, 12, "b" * 64), Retargeting())


def test_frames_without_a_face() -> None:
    valid = np.ones(12, bool)
    valid[4:6] = False
    driving = replace(DRIVING, valid=valid)
    own = retarget(SOURCE, driving, Retargeting(), no_face="source")
    check_is_source(own.rows(4, 6))
    np.testing.assert_array_equal(own.tokens[valid], retarget(SOURCE, driving, Retargeting()).tokens[valid])
    assert len(retarget(SOURCE, driving, Retargeting(), no_face="cut")) == 10


def test_smoothing_fills_and_smooths_tokens() -> None:
    valid = np.ones(12, bool)
    valid[5] = False
    found = smoothed(replace(DRIVING, valid=valid), "none")
    assert isinstance(found, TokenCoefficients)
    np.testing.assert_allclose(found.tokens[5], (DRIVING.tokens[4] + DRIVING.tokens[6]) / 2)
    calm = smoothed(DRIVING, "savitzky-golay")
    assert isinstance(calm, TokenCoefficients)
    assert np.diff(calm.tokens, axis=0).std() < 0.8 * np.diff(DRIVING.tokens, axis=0).std()


def test_sliders_edit_the_token() -> None:
    still = apply_edit(SOURCE, Edit(values={"yaw": 0.0, "smile": 0.0}), MODEL)
    assert isinstance(still, TokenCoefficients)
    check_is_source(still)
    values = {"yaw": 10.0, "jaw_open": 0.5, "move_x": 0.1}
    found = apply_edit(SOURCE, Edit(values=values), MODEL)
    linear = linear478.SPACE.edit(SOURCE, {name: np.array([value]) for name, value in values.items()}, MODEL)
    assert isinstance(found, TokenCoefficients)
    np.testing.assert_array_equal(found.tokens, SOURCE.tokens)
    np.testing.assert_allclose(found.edits, motion_rows(linear) - motion_rows(SOURCE), atol=1e-12)
    again = apply_edit(found, Edit(values={"yaw": -10.0}), MODEL)
    assert isinstance(again, TokenCoefficients)
    assert abs(again.edits[0, 65]) < 1e-9


def test_what_keeps_the_head_inside_is_an_edit() -> None:
    far = replace(DRIVING, translation=DRIVING.translation + np.linspace(0, 3, 12)[:, None] * [1, 0, 0])
    moved = retarget(SOURCE, far, Retargeting(scale="driver"))
    kept, taken_back = SPACE.contain(moved, SOURCE, Retargeting(), MODEL)
    assert isinstance(kept, TokenCoefficients)
    assert taken_back > 0
    np.testing.assert_array_equal(kept.tokens, moved.tokens)
    np.testing.assert_allclose(kept.shown, moved.shown, atol=1e-12)
    np.testing.assert_allclose(
        kept.edits[:, 67:] - moved.edits[:, 67:], kept.translation - moved.translation, atol=1e-12
    )


def test_motion_that_is_interpolated_passes_through_tokens_and_edits() -> None:
    stop = apply_edit(SOURCE, Edit(values={"jaw_open": 1.0}), MODEL)
    clip = interpolated_through(SOURCE, stop, Edit(frames=5))
    assert isinstance(clip, TokenCoefficients)
    np.testing.assert_allclose(clip.edits[2], stop.edits[0] / 2)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(clip.tokens, np.repeat(SOURCE.tokens, 5, 0))


def test_a_motion_file_keeps_everything(tmp_path: Path) -> None:
    moved = retarget(SOURCE, DRIVING, Retargeting(scale="source"))
    save_coefficients(moved, tmp_path / "motion.npz")
    found = load_coefficients(tmp_path / "motion.npz", space=SPACE)
    assert isinstance(found, TokenCoefficients)
    assert (found.network, read_header(tmp_path / "motion.npz")["network"]) == ("a" * 64, "a" * 64)
    assert found.editable is True
    for name in SPACE.arrays:
        np.testing.assert_allclose(getattr(found, name), getattr(moved, name), rtol=1e-6, atol=1e-6)


def test_its_files_drive_in_linear_spaces_and_theirs_in_it(tmp_path: Path) -> None:
    save_coefficients(DRIVING, tmp_path / "tokens.npz")
    save_coefficients(made(2, 12), tmp_path / "linear.npz")
    assert len(load_coefficients(tmp_path / "tokens.npz", space=linear478.SPACE)) == 12
    assert len(load_coefficients(tmp_path / "linear.npz", space=SPACE, as_driver=True)) == 12
    with pytest.raises(InputError, match="'linear478', but 'imf_tokens' is needed"):
        load_coefficients(tmp_path / "linear.npz", space=SPACE)


def test_parts_are_joined() -> None:
    parts = [DRIVING.rows(0, 5), DRIVING.rows(5, 12)]
    found = joined(iter(parts), 12)
    assert isinstance(found, TokenCoefficients)
    np.testing.assert_array_equal(found.tokens, DRIVING.tokens.astype(np.float32))


def test_a_network_that_cannot_edit_moves_as_tokens_say() -> None:
    """Whatever else is asked for is refused."""
    source = replace(SOURCE, editable=False)
    found = retarget(source, DRIVING, Retargeting())
    np.testing.assert_allclose(found.tokens, retarget(SOURCE, DRIVING, Retargeting()).tokens)
    assert not found.edits.any()
    at = found.tokens.tolist().index(SOURCE.tokens[0].tolist())
    np.testing.assert_allclose(
        motion_rows(found), motion_rows(SOURCE) + motion_rows(DRIVING) - motion_rows(DRIVING)[at]
    )
    assert SPACE.contain(found, source, Retargeting(), MODEL) == (found, 0.0)
    assert not apply_edit(source, Edit(), MODEL).edits.any()  # type: ignore[attr-defined]
    asked: list[Callable[[], object]] = [
        lambda: retarget(source, DRIVING, Retargeting(scale="source")),
        lambda: retarget(source, DRIVING, Retargeting(only="pose")),
        lambda: retarget(source, made(2, 12), Retargeting()),
        lambda: apply_edit(source, Edit(values={"yaw": 5.0}), MODEL),
    ]
    for one in asked:
        with pytest.raises(UsageError, match="has no map from coefficients to tokens"):
            one()
