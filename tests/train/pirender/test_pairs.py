"""The frame cache, and the pairs that a renderer is trained on."""

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
from facepipe.train.pirender.frame_cache import (
    FrameCache,
    HeadClip,
    build_frame_cache,
    mirrored,
    open_frame_cache,
    origin_of,
)
from facepipe.train.pirender.pairs import Pairs
from tests.dataset.material import make_dataset
from tests.face.faces import face_model
from tests.renderers.painted import paint
from tests.train.material import face_points

SIDE = 160


def clip(number: int, frames: int = 4) -> HeadClip:
    points = face_points(frames, seed=number, person=number).astype(np.float64)
    valid = np.ones(frames, bool)
    valid[1] = False
    return HeadClip(f"c{number}", f"p{number}", [paint(face, SIDE) for face in points], points, valid)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    faceless = HeadClip("none", "p9", [np.zeros((SIDE, SIDE, 3), np.uint8)], np.zeros((1, 478, 3)), np.zeros(1, bool))
    return build_frame_cache([clip(0), faceless, clip(1, 5)], tmp_path_factory.mktemp("heads") / "cache", SIDE)


def test_the_cache_holds_every_frame_of_clips_with_a_face(cache: FrameCache) -> None:
    assert cache.names == ["c0", "c1"]
    assert cache.first.tolist() == [0, 4, 9]
    expected = clip(1, 5)
    np.testing.assert_array_equal(cache.frames[cache.clip(1)], np.stack(list(expected.frames)))
    np.testing.assert_allclose(cache.points[cache.clip(1)], expected.points, atol=1e-4)
    np.testing.assert_array_equal(cache.valid[cache.clip(1)], expected.valid)


def test_clips_are_unpacked_once(tmp_path: Path) -> None:
    build_frame_cache([clip(0)], tmp_path, SIDE)

    def never() -> Iterator[HeadClip]:
        yield clip(1)
        raise AssertionError("read again")

    again = build_frame_cache(never(), tmp_path, SIDE)
    assert again.names == ["c0"]
    np.testing.assert_array_equal(again.frames, open_frame_cache(tmp_path).frames)


def test_a_stopped_build_starts_over(tmp_path: Path) -> None:
    """Its partial files are neither used as a cache nor left behind."""

    def stopped() -> Iterator[HeadClip]:
        yield clip(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_frame_cache(stopped(), tmp_path, SIDE)
    assert not list(tmp_path.iterdir())
    assert build_frame_cache([clip(1)], tmp_path, SIDE).names == ["c1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames.u8", "heads.json", "points.npy", "valid.npy"]


def test_a_split_without_people_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No clip for .*unseen shows a face.*--test-percent"):
        build_frame_cache([], tmp_path / "unseen", SIDE)
    assert not list((tmp_path / "unseen").iterdir())


@pytest.mark.parametrize("came", ["another", None])
def test_a_cache_of_another_data_set_is_refused(tmp_path: Path, came: str | None) -> None:
    """A cache without an origin, as older versions wrote it, is refused too."""
    build_frame_cache([clip(0)], tmp_path, SIDE, "another")
    if came is None:
        facts = json.loads((tmp_path / "heads.json").read_text(encoding="utf-8"))
        del facts["origin"]
        (tmp_path / "heads.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match=f"frames of .*{came or 'unknown data set'}, expected those of mine.* --cache"):
        build_frame_cache([clip(0)], tmp_path, SIDE, "mine")


def test_the_origin_identifies_the_frames_of_splits(tmp_path: Path) -> None:
    """It depends on the given splits alone; coefficients that are added later do not change it."""
    entries = make_dataset(tmp_path, "p#a", "p#b")
    before = origin_of(tmp_path, "train")
    write_list(tmp_path, [replace(entries[0], split="test"), entries[1]])
    assert origin_of(tmp_path, "test") != origin_of(tmp_path, "train") != before
    write_list(tmp_path, [replace(entry, source_sha256="1") for entry in entries])
    assert origin_of(tmp_path, "train") != before
    write_list(tmp_path, [replace(entry, bfm=True) for entry in entries])
    assert origin_of(tmp_path, "train") == before


def test_a_mirrored_face_is_a_face_of_the_mirrored_picture() -> None:
    """Mirroring twice restores the points; mirroring once exchanges left and right."""
    points = face_points(1, seed=5, person=5)
    twice = mirrored(mirrored(points, face_model(), SIDE), face_model(), SIDE)
    np.testing.assert_allclose(twice, points, atol=1e-3)
    once = mirrored(points, face_model(), SIDE)[0]
    assert once[33, 0] < once[263, 0]
    np.testing.assert_allclose(once[33, 0], SIDE - 1 - points[0, 263, 0], atol=1e-3)


@pytest.mark.parametrize("flip", [False, True])
def test_the_prior_of_a_pair_is_close_to_its_truth(cache: FrameCache, flip: bool) -> None:
    """The prior of a frame from itself is the frame; that from another frame is closer to the truth than the source."""
    pairs = Pairs(cache, face_model(), 0, augment=False)
    random = np.random.default_rng(0)
    same, other = pairs.of_source(0, 0, [0, 3], random, flip=flip)
    frame = cache.frames[0][:, ::-1] if flip else cache.frames[0]
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
def test_crossed_pairs_have_another_persons_motion(cache: FrameCache, flip: bool) -> None:
    """The target is the source's own face in another pose, and the motion input agrees with it."""
    pairs = Pairs(cache, face_model(), 0, augment=False, crossed=True)
    targets: set[tuple[float, ...]] = set()
    for _ in range(6):
        same, crossed = pairs.of_source(0, 0, [0], np.random.default_rng(len(targets)), flip=flip)
        assert (bool(same.crossed), bool(crossed.crossed)) == (False, True)
        assert torch.equal(crossed.source, same.source)
        own = pairs.fits[0][int(flip)]
        moved = fit(face_model(), crossed.points.numpy()[None].astype(float), np.ones(1, bool), identity=own.identity)
        np.testing.assert_allclose(angles_of(moved.pose.rotation)[0], crossed.motion[64:67], atol=0.02)
        targets.add(tuple(crossed.points[1].tolist()))
    assert len(targets) > 1


def test_a_single_person_has_no_crossed_pairs(tmp_path: Path) -> None:
    alone = Pairs(build_frame_cache([clip(0)], tmp_path, SIDE), face_model(), 0, crossed=True)
    assert not any(pair.crossed for _, pair in zip(range(8), alone, strict=False))


def test_frames_without_a_face_are_never_sampled(cache: FrameCache) -> None:
    """Frame 1 of each clip shows no face; it appears in none of many pairs."""
    pairs = Pairs(cache, face_model(), 3, augment=False)
    hidden = {cache.frames[cache.clip(index).start + 1].tobytes() for index in range(2)}
    for _, pair in zip(range(40), pairs, strict=False):
        for part in (pair.source, pair.truth):
            assert np.ascontiguousarray(part.permute(1, 2, 0).numpy()).tobytes() not in hidden
