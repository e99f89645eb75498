"""The training of the table of coefficients."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe import weights
from facepipe.codec import TokenCodec, load_table
from facepipe.codec.coefficients import tokens_of, with_tokens
from facepipe.dataset.listing import Entry, path_of, write_list
from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop
from facepipe.face.model import load_face_model
from facepipe.face.pose import rotation_of
from facepipe.face.track import Track, TrackFile, save_track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import save_coefficients
from facepipe.train import codec_tables
from facepipe.train.imf import codec_tokens
from tests.face.faces import face_model
from tests.renderers.imf.small import written


def moving(count: int, seed: int) -> Coefficients:
    """Return coefficients of a face that nods and talks."""
    random = np.random.default_rng(seed)
    times = np.arange(count)[:, None] / 9 + random.uniform(0, 6)

    def wave(size: int, scale: float) -> np.ndarray:
        return scale * np.sin(times * random.uniform(0.3, 2, size) + random.uniform(0, 6, size))

    shot = np.repeat([0, 1], [count - 40, 40]).astype(np.int32)
    valid = np.ones(count, bool)
    valid[10] = False
    return Coefficients(
        identity=random.normal(size=80),
        expression=wave(64, 0.6),
        angles=wave(3, 0.2),
        translation=wave(3, 0.05) + np.array([0, 0, -0.4]),
        valid=valid,
        residual=np.full(count, 0.01),
        fps=Fraction(25),
        crop=SquareCrop(128, 128, 256, 0),
        picture_size=(256, 256),
        shot=shot,
    )


def data_set(folder: Path) -> Path:
    entries = []
    for index, split in enumerate(["train"] * 6 + ["unseen"] * 2):
        name = f"clip{index}"
        path = path_of(folder, name, "coefficients")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_coefficients(moving(120, index), path)
        entries.append(Entry(name, name, split, 120, 119, "25", 256, False, f"{name}.mp4", "0" * 64, 0, (0, 0, 256)))
    write_list(folder, entries)
    return folder


def test_the_table_is_trained_and_codes_unseen_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.safetensors"
    codec_tables.main(["--dataset", str(data_set(tmp_path / "set")), "--out", str(out)])
    assert len(capsys.readouterr().out.splitlines()) == 12
    table = load_table(out)
    (clip, *_) = codec_tables.read_clips(tmp_path / "set", "unseen")
    codec = TokenCodec(table, 0)
    tokens = tokens_of(clip)
    reference = codec.reference(tokens[0])
    error = codec.difference(codec.packet(tokens[-1] - tokens[0], reference), reference) - (tokens[-1] - tokens[0])
    metric = codec_tables.metric_of([clip], load_face_model(weights.find("face-model").path), np.ones(478))
    assert np.sqrt(error @ metric @ error) < 1 < np.sqrt(tokens[-1] @ metric @ tokens[-1]), "% of the eye distance"
    again = tmp_path / "again.safetensors"
    codec_tables.build(tmp_path / "set", again)
    assert again.read_bytes() == out.read_bytes()


def test_clips_end_at_cuts_and_gaps(tmp_path: Path) -> None:
    clips = codec_tables.read_clips(data_set(tmp_path), "unseen")
    assert [len(clip) for clip in clips] == [69, 40] * 2


def test_the_metric_is_the_movement_of_the_points() -> None:
    model = face_model()
    clip = moving(60, 1)
    metric = codec_tables.metric_of([clip], model, np.ones(len(model.mean)))
    random = np.random.default_rng(0)
    difference = 1e-4 * random.normal(size=70)
    squares = []
    for row in (0, 29, 59):
        before, after = (points(clip, row, moved, model.shape) for moved in (np.zeros(70), difference))
        squares.append(((after - before) ** 2).sum(1).mean() * 100**2)
    assert difference @ metric @ difference == pytest.approx(np.mean(squares), rel=2e-3)


def points(clip: Coefficients, row: int, moved: np.ndarray, shape) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return the (N, 2) points in the picture in eye distances of the unmoved face."""
    at = with_tokens(clip.rows(row, row + 1), tokens_of(clip)[row : row + 1] + moved)
    turned = shape(at.identity, at.expression)[0] @ rotation_of(at.angles)[0].T
    placed = np.exp(at.translation[0, 2]) * turned[:, :2] + at.translation[0, :2]
    return np.asarray(placed / np.exp(clip.translation[row, 2]))


def test_tokens_of_a_network_are_fitted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    walks = {f"{group}/{i}": random.normal(size=(50, 8)).cumsum(0) for group in ("seen", "unseen") for i in range(3)}
    np.savez(tmp_path / "tokens.npz", **walks)  # type: ignore[arg-type]
    codec_tables.main(["--tokens", str(tmp_path / "tokens.npz"), "--out", str(tmp_path / "t.safetensors")])
    table = load_table(tmp_path / "t.safetensors")
    assert (table.kind, table.size, table.components) == ("imf", 8, 8)


def test_a_data_set_without_unseen_people_is_refused(tmp_path: Path) -> None:
    write_list(tmp_path, [])
    with pytest.raises(InputError, match=r"has no clips of seen or of unseen people"):
        codec_tables.build(tmp_path, tmp_path / "out")
    np.savez(tmp_path / "tokens.npz", other=np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"lacks arrays seen/NAME and unseen/NAME"):
        codec_tables.build_imf(tmp_path / "tokens.npz", tmp_path / "out")


def test_the_metric_of_tokens_is_the_movement_of_the_points() -> None:
    random = np.random.default_rng(0)
    law = random.normal(size=(6, 10))
    law[-1] = 0
    clips = []
    for _ in range(3):
        tokens = random.normal(size=(60, 6)).cumsum(0)
        clips.append((tokens, (tokens @ law / 100).reshape(60, 5, 2) + random.normal(size=2)))
    metric = codec_tokens.metric_of(clips, np.array([1, 1, 2, 3, 0.5]))
    difference = random.normal(size=6)
    moved = np.average(((difference @ law).reshape(5, 2) ** 2).sum(1), weights=[1, 1, 2, 3, 0.5])
    # The last number moves no point, and counts for what else it may say.
    unseen = np.eye(6)[-1]
    alike = unseen @ metric @ unseen
    assert alike > 0
    assert difference @ metric @ difference == pytest.approx(0.98 * moved + alike * (difference**2).sum())


def test_tokens_are_taken_between_cuts_and_gaps() -> None:
    valid = np.ones(300, bool)
    valid[10] = False
    shot = np.repeat([0, 1], [30, 270]).astype(np.int32)
    track = Track(np.zeros((300, 478, 3), np.float32), valid, valid.astype(np.float32), shot=shot)
    assert codec_tokens.stretch_of(track) == slice(30, 130)
    short = Track(track.points[:20], valid[11:31], track.score[:20])
    assert codec_tokens.stretch_of(short) == slice(0, 0)


def test_tokens_of_a_data_set_are_those_of_its_frames(tmp_path: Path) -> None:
    folder, network = tmp_path / "set", written(tmp_path / "net.safetensors", psi=False)
    pictures = np.random.default_rng(1).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
    entries = []
    for split in ("train", "unseen"):
        points = np.random.default_rng(2).uniform(10, 50, (30, 478, 3)).astype(np.float32)
        for kind in ("clip", "track"):
            path_of(folder, split, kind).parent.mkdir(parents=True, exist_ok=True)
        track = Track(points, np.ones(30, bool), np.ones(30, np.float32))
        place = SquareCrop(31.5, 31.5, 64, 0)
        save_track(TrackFile(track, Fraction(25), place, (64, 64)), path_of(folder, split, "track"))
        with VideoWriter(path_of(folder, split, "clip"), size=(64, 64), fps=Fraction(25), quality=90) as writer:
            for picture in pictures:
                writer.write(picture)
        entries.append(Entry(split, split, split, 30, 30, "25", 64, False, f"{split}.mp4", "0" * 64, 0, (0, 0, 64)))
    write_list(folder, entries)
    out = tmp_path / "tokens.npz"
    codec_tokens.main(["--dataset", str(folder), "--network", str(network), "--out", str(out)])
    with np.load(out) as file:
        assert sorted(file.files) == ["metric", "seen/train", "unseen/unseen"]
        frames = list(decode_frames(path_of(folder, "train", "clip")))
        assert np.array_equal(file["seen/train"], list(TokenEncoder(network).tokens(frames)))
    codec_tables.main(["--tokens", str(out), "--out", str(tmp_path / "t.safetensors")])
    assert load_table(tmp_path / "t.safetensors").components == 32
