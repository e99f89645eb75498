"""Heads unpacked from clips, and the pairs that a renderer is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.dataset.listing import write_list
from facepipe.errors import InputError
from facepipe.face.fitting import fit
from facepipe.face.pose import angles_of
from facepipe.train.pirender.heads import HeadClip, Heads, build_heads, mirrored, open_heads, origin_of
from facepipe.train.pirender.pairs import Pairs
from tests.dataset.material import make_dataset
from tests.face.faces import face_model
from tests.renderers.painted import paint
from tests.train.material import heads as moving

SIDE = 160


def clip(number: int, frames: int = 4) -> HeadClip:
    points = moving(frames, seed=number, person=number).astype(np.float64)
    valid = np.ones(frames, bool)
    valid[1] = False
    return HeadClip(f"c{number}", f"p{number}", [paint(face, SIDE) for face in points], points, valid)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Heads:
    faceless = HeadClip("none", "p9", [np.zeros((SIDE, SIDE, 3), np.uint8)], np.zeros((1, 478, 3)), np.zeros(1, bool))
    return build_heads([clip(0), faceless, clip(1, 5)], tmp_path_factory.mktemp("heads") / "cache", SIDE)


def test_heads_hold_every_frame_of_clips_with_a_face(heads: Heads) -> None:
    assert heads.names == ["c0", "c1"]
    assert heads.first.tolist() == [0, 4, 9]
    wanted = clip(1, 5)
    np.testing.assert_array_equal(heads.frames[heads.clip(1)], np.stack(list(wanted.frames)))
    np.testing.assert_allclose(heads.points[heads.clip(1)], wanted.points, atol=1e-4)
    np.testing.assert_array_equal(heads.valid[heads.clip(1)], wanted.valid)


def test_heads_are_unpacked_once(tmp_path: Path) -> None:
    build_heads([clip(0)], tmp_path, SIDE)

    def never() -> Iterator[HeadClip]:
        yield clip(1)
        raise AssertionError("read again")

    again = build_heads(never(), tmp_path, SIDE)
    assert again.names == ["c0"]
    np.testing.assert_array_equal(again.frames, open_heads(tmp_path).frames)


def test_a_build_that_was_stopped_is_begun_anew(tmp_path: Path) -> None:
    """What it had written so far is neither taken for a cache nor left behind."""

    def stopped() -> Iterator[HeadClip]:
        yield clip(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_heads(stopped(), tmp_path, SIDE)
    assert not list(tmp_path.iterdir())
    assert build_heads([clip(1)], tmp_path, SIDE).names == ["c1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.u8", "heads.json", "points.npy", "valid.npy"]


def test_a_split_without_people_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No clip for .*unseen shows a face.*--test-percent"):
        build_heads([], tmp_path / "unseen", SIDE)
    assert not list((tmp_path / "unseen").iterdir())


@pytest.mark.parametrize("came", ["another", None])
def test_a_cache_of_another_data_set_is_refused(tmp_path: Path, came: str | None) -> None:
    """Also one that does not tell, as none did once."""
    build_heads([clip(0)], tmp_path, SIDE, "another")
    if came is None:
        facts = json.loads((tmp_path / "heads.json").read_text(encoding="utf-8"))
        del facts["origin"]
        (tmp_path / "heads.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match=f"frames of .*{came or 'does not tell'}, expected those of mine.* --cache"):
        build_heads([clip(0)], tmp_path, SIDE, "mine")


def test_data_sets_are_told_apart_by_their_frames(tmp_path: Path) -> None:
    """By those of the splits that are asked for; coefficients that were added later change nothing."""
    entries = make_dataset(tmp_path, "p#a", "p#b")
    before = origin_of(tmp_path, "train")
    write_list(tmp_path, [replace(entries[0], split="test"), entries[1]])
    assert origin_of(tmp_path, "test") != origin_of(tmp_path, "train") != before
    write_list(tmp_path, [replace(entry, source_sha256="1") for entry in entries])
    assert origin_of(tmp_path, "train") != before
    write_list(tmp_path, [replace(entry, bfm=True) for entry in entries])
    assert origin_of(tmp_path, "train") == before


def test_a_mirrored_face_is_a_face_of_the_mirrored_picture() -> None:
    """Mirroring twice gives the points back, and once puts the right eye where the left one's picture is."""
    points = moving(1, seed=5, person=5)
    twice = mirrored(mirrored(points, face_model(), SIDE), face_model(), SIDE)
    np.testing.assert_allclose(twice, points, atol=1e-3)
    once = mirrored(points, face_model(), SIDE)[0]
    assert once[33, 0] < once[263, 0]
    np.testing.assert_allclose(once[33, 0], SIDE - 1 - points[0, 263, 0], atol=1e-3)


@pytest.mark.parametrize("flip", [False, True])
def test_pairs_show_one_clip_twice_and_the_prior_of_the_second(heads: Heads, flip: bool) -> None:
    """The prior of a frame from itself is the frame; of another it is nearer to it than the source is."""
    pairs = Pairs(heads, face_model(), 0, augment=False)
    random = np.random.default_rng(0)
    same, other = pairs.of_source(0, 0, [0, 3], random, flip=flip)
    frame = heads.frames[0][:, ::-1] if flip else heads.frames[0]
    np.testing.assert_array_equal(same.source.permute(1, 2, 0).numpy(), frame)
    assert torch.equal(same.truth, same.source)
    assert (same.prior.float() - same.truth.float()).abs().mean() < 3
    gap = (other.prior.float() - other.truth.float()).abs().mean()
    assert gap < 0.8 * (other.source.float() - other.truth.float()).abs().mean()
    assert not other.crossed
    low, high = other.points[:, :2].amin(0), other.points[:, :2].amax(0)
    assert (low > 0).all()
    assert (high < SIDE).all()


@pytest.mark.parametrize("flip", [False, True])
def test_crossed_pairs_lay_anothers_motion_on_the_source(heads: Heads, flip: bool) -> None:
    """The face wanted is the source's own in another pose, and the prior and the motion show it there."""
    pairs = Pairs(heads, face_model(), 0, augment=False, crossed=True)
    wanted: set[tuple[float, ...]] = set()
    for _ in range(6):
        same, crossed = pairs.of_source(0, 0, [0], np.random.default_rng(len(wanted)), flip=flip)
        assert (bool(same.crossed), bool(crossed.crossed)) == (False, True)
        assert torch.equal(crossed.source, same.source)
        own = pairs.fits[0][int(flip)]
        moved = fit(face_model(), crossed.points.numpy()[None].astype(float), np.ones(1, bool), identity=own.identity)
        np.testing.assert_allclose(angles_of(moved.pose.rotation)[0], crossed.motion[64:67], atol=0.02)
        wanted.add(tuple(crossed.points[1].tolist()))
    assert len(wanted) > 1


def test_one_person_alone_is_moved_by_no_other(tmp_path: Path) -> None:
    alone = Pairs(build_heads([clip(0)], tmp_path, SIDE), face_model(), 0, crossed=True)
    assert not any(pair.crossed for _, pair in zip(range(8), alone, strict=False))


def test_frames_without_a_face_are_never_drawn(heads: Heads) -> None:
    """Frame 1 of each clip shows no face: its picture appears nowhere in many pairs."""
    pairs = Pairs(heads, face_model(), 3, augment=False)
    hidden = {heads.frames[heads.clip(index).start + 1].tobytes() for index in range(2)}
    for _, pair in zip(range(40), pairs, strict=False):
        for part in (pair.source, pair.truth):
            assert np.ascontiguousarray(part.permute(1, 2, 0).numpy()).tobytes() not in hidden
