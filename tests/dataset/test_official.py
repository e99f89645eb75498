"""The official LMDB layout, read back by key as the published training reads it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from facepipe.dataset.listing import path_of
from facepipe.media.decode import decode_frames
from facepipe.spaces.files import save_coefficients
from tests.dataset.material import SIZE, bfm_coefficients, make_dataset, random
from tests.pipeline.scene import Outcome, run

lmdb = pytest.importorskip("lmdb")
NAMES = ("anna#a", "anna#b", "otto#test")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three clips with coefficients in the space bfm; those of the last as the official scripts write them."""
    folder = tmp_path / "set"
    make_dataset(folder, *NAMES)
    (folder / "coefficients-bfm").mkdir()
    for seed, name in enumerate(NAMES[:2]):
        save_coefficients(bfm_coefficients(seed=seed), folder / "coefficients-bfm" / f"{name}.npz")
    transform = np.concatenate([np.full((5, 2), 256, np.float32), np.abs(random(5, 3))], axis=1)
    savemat(folder / "coefficients-bfm" / f"{NAMES[2]}.mat", {"coeff": random(5, 257), "transform_params": transform})
    return folder


def export(dataset: Path, *argv: str) -> Outcome:
    out, work = dataset.parent / "out", dataset.parent / "work"
    return run("dataset", "export", dataset, out, "--lmdb", "--work", work, *argv)


def read(dataset: Path, *keys: str) -> list[bytes]:
    folder = dataset.parent / "out" / str(SIZE)
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [transaction.get(key.encode()) for key in keys]


def test_layout_is_the_official_one(dataset: Path) -> None:
    outcome = export(dataset)
    assert outcome.exit_code == 0, outcome.stderr
    out = dataset.parent / "out"
    assert (out / "train_list.txt").read_text(encoding="utf-8") == "anna#a\nanna#b\n"
    assert (out / "test_list.txt").read_text(encoding="utf-8") == "otto#test\n"
    assert read(dataset, "length", "anna#a-length", "otto#test-length") == [b"0000003", b"0000005", b"0000005"]
    for name in NAMES:
        frames = list(decode_frames(path_of(dataset, name, "clip")))
        for number, data in enumerate(read(dataset, *(f"{name}-{number:07}" for number in range(5)))):
            picture = Image.open(io.BytesIO(data))
            assert (picture.format, picture.size) == ("JPEG", (SIZE, SIZE))
            assert np.abs(np.array(picture).astype(int) - frames[number]).max() <= 2
    assert read(dataset, "anna#a-0000005", "anna#a-keypoint") == [None, None]


def test_rows_hold_260_numbers_in_the_official_order(dataset: Path) -> None:
    export(dataset)
    rows = np.frombuffer(read(dataset, "anna#b-coeff_3dmm")[0], np.float32).reshape(5, 260)
    given = bfm_coefficients(seed=1)
    for columns, expected in (
        (slice(0, 80), given.identity), (slice(80, 144), given.expression), (slice(144, 224), given.texture),
        (slice(224, 227), given.angles), (slice(227, 254), given.lighting), (slice(254, 257), given.translation),
        (slice(257, 260), given.crops),
    ):  # fmt: skip
        np.testing.assert_array_equal(rows[:, columns], expected)
    rows = np.frombuffer(read(dataset, "otto#test-coeff_3dmm")[0], np.float32).reshape(5, 260)
    np.testing.assert_array_equal(rows, np.concatenate([random(5, 257), np.abs(random(5, 3))], axis=1))


def test_only_what_changed_is_written_again(dataset: Path) -> None:
    export(dataset)
    assert [event["changed"] for event in export(dataset, "--json").events if "changed" in event] == [False]
    save_coefficients(bfm_coefficients(seed=9), dataset / "coefficients-bfm" / "anna#a.npz")
    assert [event["changed"] for event in export(dataset, "--json").events if "changed" in event] == [True]
    rows = np.frombuffer(read(dataset, "anna#a-coeff_3dmm")[0], np.float32).reshape(5, 260)
    np.testing.assert_array_equal(rows[:, 80:144], bfm_coefficients(seed=9).expression)
    # With a shorter clip, and without one of the clips: nothing of the earlier export remains.
    make_dataset(dataset, NAMES[0], frames=3)
    save_coefficients(bfm_coefficients(3), dataset / "coefficients-bfm" / "anna#a.npz")
    assert export(dataset).exit_code == 0
    assert read(dataset, "length", "anna#a-0000002") != [b"0000003", None]
    gone = ("anna#a-0000003", "anna#b-0000000", "anna#b-length", "anna#b-coeff_3dmm", "otto#test-0000001")
    assert read(dataset, *gone) == [None] * len(gone)


def test_a_bad_clip_affects_only_itself(dataset: Path) -> None:
    save_coefficients(bfm_coefficients(4), dataset / "coefficients-bfm" / "anna#a.npz")
    (dataset / "coefficients-bfm" / "otto#test.mat").write_bytes(b"nothing")
    outcome = export(dataset)
    assert outcome.exit_code == 4
    assert "2 of 3 clips are left out" in outcome.stderr
    assert "anna#a: the clip has 5 frames" in outcome.stderr
    assert read(dataset, "length", "anna#a-length", "anna#b-length") == [b"0000001", None, b"0000005"]
    save_coefficients(bfm_coefficients(), dataset / "coefficients-bfm" / "anna#a.npz")
    export(dataset)
    assert read(dataset, "length", "anna#a-length") == [b"0000002", b"0000005"]


def test_a_foreign_environment_is_kept(dataset: Path) -> None:
    folder = dataset.parent / "out" / str(SIZE)
    folder.mkdir(parents=True)
    with lmdb.open(str(folder)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"mine", b"1")
    outcome = export(dataset)
    assert (outcome.exit_code, "was not written by facepipe" in outcome.stderr) == (3, True)
    assert read(dataset, "mine") == [b"1"]
    assert export(dataset, "--overwrite").exit_code == 0
    assert read(dataset, "mine", "length") == [None, b"0000003"]


def test_errors_name_the_missing_option(dataset: Path, tmp_path: Path) -> None:
    outcome = export(dataset, "--coefficients", str(tmp_path / "nowhere"))
    assert (outcome.exit_code, "with --coefficients" in outcome.stderr) == (3, True)
    outcome = run("dataset", "export", dataset, tmp_path / "x")
    assert (outcome.exit_code, "exactly one of --shards and --lmdb" in outcome.stderr) == (2, True)
