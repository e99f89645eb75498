"""Tokens of an IMF network: a round trip with a small random network, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepipe import weights
from facepipe.codec import End, Frame, Header, Key, Sound, TokenCodec, plain_table
from facepipe.codec.restoration import restored
from facepipe.coding.drawing import Drawer, Item
from facepipe.coding.imf_portrait import ImfPortrait, ImfReader
from facepipe.coding.models import FACES, KINDS, check_available, check_header, digest_of, open_kind, open_table
from facepipe.coding.plan import Budget, Plan
from facepipe.coding.run import CodedRun, RunCoder
from facepipe.coding.viewing import View
from facepipe.errors import InputError, WeightsError
from facepipe.media.stills_codec import decode_still
from facepipe.renderers.imf.loading import load_any
from facepipe.rendering.spec import NETWORK
from facepipe.train.codec_tables import save_table
from facepipe.weights import WeightFile
from tests.pipeline.scene import run
from tests.renderers.imf.small import PUBLISHED, written

SIDE, COUNT, SCALE = 64, 9, 0
# Tokens of random networks differ by little.
FINE = 1e-3
TABLE = replace(plain_table("imf", 32), analysis=np.eye(32) / FINE, synthesis=np.eye(32) * FINE)
KIND = KINDS["imf"]
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("network") / "net.safetensors", psi=False)


@pytest.fixture(scope="module")
def reader(network: Path) -> ImfReader:
    return ImfReader({NETWORK: network})


def moving(*, valid: list[bool] | None = None) -> View:
    """Return a view of a pattern that moves."""
    pattern = np.random.default_rng(3).integers(0, 256, (12, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    pictures = np.stack([pattern[2 * shift : 2 * shift + SIDE, shift : shift + SIDE] for shift in range(COUNT)])
    points = np.random.default_rng(0).uniform(20, 44, (COUNT, 478, 3))
    found = np.array(valid if valid is not None else [True] * COUNT)
    return View(pictures, points, found, np.zeros(COUNT, np.int32), 25.0)


def coded(reader: ImfReader, view: View, *, corrects: bool = False) -> CodedRun:
    coder = RunCoder(reader, TABLE, Budget(40_000.0), corrects, Plan(SCALE, 1))
    (one,) = coder.code(view)
    return one


def decoded(reader: ImfReader, one: CodedRun) -> list[Picture]:
    header = Header(SIDE, SIDE, Fraction(25), "imf", bytes(16), TABLE.digest, SCALE, "av1")
    frames = [Frame(number, packet or b"") for number, packet in enumerate(one.packets)]
    items: list[Item] = [Key(0, one.still, one.reference), *frames, End(len(frames), 0)]
    drawn = Drawer(header, reader, TABLE).draw(items)
    return [picture for picture in drawn if not isinstance(picture, Sound)]


def plainly(network: Path, still: Picture, tokens: np.ndarray) -> list[Picture]:
    """Draw tokens by the network alone, one after the other."""
    net, dtype = load_any(network)
    with torch.inference_mode():
        prepared = net.prepare(torch.from_numpy(still.copy()).permute(2, 0, 1)[None] / 127.5 - 1)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            made = [net.render(prepared, torch.from_numpy(token[None]).float())[0] for token in tokens]
    return [((one.permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy() for one in made]


def test_decoding_draws_the_quantised_tokens(network: Path, reader: ImfReader) -> None:
    one = coded(reader, moving())
    still, codec = decode_still(one.still, SIDE), TokenCodec(TABLE, SCALE)
    reference = codec.read_reference(one.reference)
    differences = [codec.difference(packet, reference) for packet in one.packets if packet]
    assert len(differences) == COUNT
    portrait = reader.open(still)
    true = portrait.estimate(moving()) - portrait.own
    assert np.abs(np.array(differences) - true).max() <= FINE * codec.step / 2 + 1e-9
    shown = np.stack([portrait.own + row for _, row in restored(enumerate(differences), 32)])
    frames = decoded(reader, one)
    assert np.abs(np.array(frames).astype(int) - np.array(plainly(network, still, shown))).max() <= 1
    assert np.ptp(np.array(differences), axis=0).max() > 0
    assert np.ptp(np.array(frames).astype(int), axis=0).max() > 3, "frames move"


def test_the_stills_own_token_draws_as_the_network_does(network: Path, reader: ImfReader) -> None:
    still = moving().pictures[0]
    portrait = reader.open(still)
    with torch.inference_mode():
        own = load_any(network).net.token(torch.from_numpy(still.copy()).permute(2, 0, 1)[None] / 127.5 - 1)
    assert np.allclose(portrait.own, own[0].numpy(), atol=1e-4)
    seen, known = portrait.seen([still], np.zeros((1, 478, 3)))
    assert np.array_equal(seen[0], portrait.own)
    assert known.all()


def test_frames_without_a_face_pass_between_their_neighbours(reader: ImfReader) -> None:
    valid = [number not in (0, 3, 4) for number in range(COUNT)]
    portrait = reader.open(moving().pictures[0])
    found, every = portrait.estimate(moving(valid=valid)), portrait.estimate(moving())
    assert np.array_equal(found[5:], every[5:])
    assert np.array_equal(found[0], every[1])
    assert np.allclose(found[3] - found[2], (found[5] - found[2]) / 3)


def test_a_run_without_a_face_stands_still(reader: ImfReader) -> None:
    one = coded(reader, moving(valid=[False] * COUNT), corrects=True)
    assert one.reference == b""
    assert not any(one.packets)
    frames = decoded(reader, one)
    assert all(np.array_equal(frame, decode_still(one.still, SIDE)) for frame in frames)


def test_the_published_form_draws_too(tmp_path: Path) -> None:
    path = written(tmp_path / "net.safetensors", psi=False, config=PUBLISHED)
    portrait = ImfReader({NETWORK: path}).open(moving().pictures[0])
    assert isinstance(portrait, ImfPortrait)
    (frame,) = portrait.draw(portrait.own[None])
    assert frame.shape == (SIDE, SIDE, 3)


def files_of(folder: Path, network: Path, tokens: str = "imf") -> dict[str, WeightFile]:
    table = folder / "table.safetensors"
    save_table(replace(TABLE, kind=tokens), table)
    own = {KIND.network: network, KIND.table: table}
    given = {name: WeightFile(name, path, f"{place}" * 64) for place, (name, path) in enumerate(own.items())}
    return given | {name: weights.find(name) for name in FACES}


def test_a_stream_names_its_network_and_its_table(tmp_path: Path, network: Path) -> None:
    files = files_of(tmp_path, network)
    digest = digest_of(KIND, files)
    own = open_table(KIND, {name: file.path for name, file in files.items()})
    header = Header(SIDE, SIDE, Fraction(25), "imf", digest, own.digest, SCALE, "av1")
    check_header(header, KIND, files)
    # The square is found by other networks, which a decoder does not need.
    assert digest == digest_of(KIND, {**files, "landmarker": replace(files["landmarker"], sha256="f" * 64)})
    other = {**files, KIND.network: replace(files[KIND.network], sha256="f" * 64)}
    with pytest.raises(InputError, match="written with other networks"):
        check_header(header, KIND, other)
    with pytest.raises(InputError, match="written with other networks"):
        check_header(replace(header, table_digest=bytes(8)), KIND, files)
    portraits, table = open_kind(KIND, {name: file.path for name, file in files.items()})
    assert isinstance(portraits, ImfReader)
    assert table.size == 32


def test_a_table_of_other_tokens_is_refused(tmp_path: Path, network: Path) -> None:
    files = files_of(tmp_path, network, "coefficients")
    with pytest.raises(WeightsError, match="a table of coefficients tokens, expected imf"):
        open_table(KIND, {name: file.path for name, file in files.items()})


def test_missing_weights_are_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = {name: entry for name, entry in weights.registered().items() if name not in (KIND.network, KIND.table)}
    monkeypatch.setattr(weights, "registered", lambda: known)
    with pytest.raises(WeightsError, match="imf-compact and codec-imf, which are not registered"):
        check_available(KIND)
    check_available(KINDS["coefficients"])
    for out in (tmp_path / "a.fpv", Path("-")):
        outcome = run("encode", tmp_path / "clip.mp4", "-o", out, "--tokens", "imf", "--work", tmp_path / "work")
        assert outcome.exit_code != 0
        assert outcome.stderr.count("not registered") == 1
    assert not (tmp_path / "a.fpv").exists()
