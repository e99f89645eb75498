"""Consent and content credentials: what results tell of where they come from, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.signing import INPUTS_LABEL
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, run

c2pa = pytest.importorskip("c2pa")
from tests.pipeline.credentials import make_credentials, make_key, pem_of  # noqa: E402 - needs what comes with c2pa


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    chain, key = make_credentials(tmp_path_factory.mktemp("credentials"))
    return "--certificate", chain, "--key", key


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_of(path: Path, credentials: tuple[str | Path, ...]) -> dict[str, Any]:
    """Read the manifest as a viewer does that trusts the authority, and expect it to be good."""
    anchor = (Path(credentials[1]).parent / "anchor.pem").read_text(encoding="utf-8")
    settings = c2pa.Settings.from_dict({"trust": {"trust_anchors": anchor}, "verify": {"verify_trust": True}})
    with c2pa.Reader(str(path), context=c2pa.Context(settings)) as reader:
        assert reader.get_validation_state() == "Trusted", reader.json()
        content = json.loads(reader.json())
    return dict(content["manifests"][content["active_manifest"]])


def assertion(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    return next(dict(one["data"]) for one in manifest["assertions"] if one["label"].startswith(label))


def test_a_signed_video_says_what_it_is_made_of(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path) -> None:
    consent, plain, out = tmp_path / "consent.pdf", tmp_path / "plain.mp4", tmp_path / "signed.mp4"
    consent.write_bytes(b"I agree.")
    scene.run("reenact", scene.portrait, scene.motion, "-o", plain)
    argv = ("reenact", scene.portrait, scene.motion, "-o", out, "--consent", consent, *credentials)
    scene.run(*argv)
    manifest = manifest_of(out, credentials)
    assert manifest["claim_generator_info"][0]["name"] == "facepipe"
    action = assertion(manifest, "c2pa.actions")["actions"][0]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    claims = assertion(manifest, INPUTS_LABEL)
    given = {"source": scene.portrait, "driver": scene.motion, "consent": consent}
    assert claims == {f"{role}_sha256": sha256(path) for role, path in given.items()}
    for ours, theirs in zip(decode_frames(out), decode_frames(plain), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    sidecar = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert sidecar["consent"] == {"path": str(consent), "sha256": sha256(consent)}
    assert sidecar["files"]["signed.mp4"] == sha256(out)
    assert sidecar["stages"][-1]["stage"] == "sign"
    # A second run signs no second time.
    before = out.read_bytes()
    assert run(*argv, "--work", scene.work, "--json").made() == []
    assert out.read_bytes() == before


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_signed_pictures(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    sheet = tmp_path / "sheet.png"
    scene.run("edit", scene.portrait, "--smile", "0.5", "-o", out, "--sheet", sheet, *credentials)
    for path in (out, sheet):
        assert assertion(manifest_of(path, credentials), INPUTS_LABEL) == {"source_sha256": sha256(scene.portrait)}
    assert read_image(out).shape == (256, 256, 3)
    # No thumbnail.
    assert json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))["stages"][-1]["facts"]["bytes_added"] < 8000


def test_what_shows_a_speaker_is_signed(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path) -> None:
    """The result, its contact sheet and its report alike."""
    voice, outs = write_voice(tmp_path / "voice.wav", 0.5), [tmp_path / name for name in ("a.mp4", "s.png", "r.png")]
    flags = (word for pair in zip(("-o", "--sheet", "--report"), outs, strict=True) for word in pair)
    scene.run("audio", scene.portrait, voice, "--size", "64", *flags, *credentials)
    inputs = {"source_sha256": sha256(scene.portrait), "sound_sha256": sha256(voice)}
    assert [assertion(manifest_of(path, credentials), INPUTS_LABEL) for path in outs] == [inputs] * 3


def test_a_changed_result_is_found_out(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    scene.run("edit", scene.portrait, "--smile", "0.6", "-o", out, *credentials)
    content = bytearray(out.read_bytes())
    content[-100] ^= 1
    out.write_bytes(content)
    with c2pa.Reader(str(out)) as reader:
        assert reader.get_validation_state() == "Invalid"


def test_render_and_mux_sign_too(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path) -> None:
    rendered, joined = tmp_path / "drawn.mp4", tmp_path / "joined.mp4"
    scene.run("render", scene.portrait, scene.motion, "-o", rendered, *credentials)
    assert set(assertion(manifest_of(rendered, credentials), INPUTS_LABEL)) == {"source_sha256", "motion_sha256"}
    scene.run("mux", rendered, rendered, "-o", joined, *credentials)
    assert set(assertion(manifest_of(joined, credentials), INPUTS_LABEL)) == {"segment_1_sha256", "segment_2_sha256"}


@pytest.mark.parametrize("kind", ["P-384", "Ed25519", "RSA"])
def test_every_kind_of_key_signs(scene: Scene, tmp_path: Path, kind: str) -> None:
    chain, key = make_credentials(tmp_path, kind)
    argv = ("--certificate", chain, "--key", key)
    scene.run("edit", scene.portrait, "--smile", "0.5", "-o", tmp_path / "out.png", *argv)
    assert manifest_of(tmp_path / "out.png", argv)


def test_the_plan_tells_of_signing(scene: Scene, credentials: tuple[Any, ...], tmp_path: Path) -> None:
    argv = ("edit", scene.portrait, "--smile", "0.123", "-o", tmp_path / "out.png", *credentials, "--dry-run")
    assert "make sign (waits for render 1)" in scene.run(*argv).stderr


def test_what_cannot_sign_is_told_before_the_first_frame(
    scene: Scene, credentials: tuple[Any, ...], tmp_path: Path
) -> None:
    _, chain, _, key = credentials
    other, locked, text = tmp_path / "other.pem", tmp_path / "locked.pem", tmp_path / "text.pem"
    other.write_bytes(pem_of(make_key()))
    locked.write_bytes(pem_of(make_key(), b"secret"))
    text.write_text("no key", encoding="utf-8")
    for argv, code, claims in (
        (("--certificate", chain), 2, "--certificate is given without --key"),
        (("--key", key), 2, "--key is given without --certificate"),
        (("--certificate", chain, "--key", other), 3, "cannot sign with"),
        (("--certificate", text, "--key", key), 3, "cannot sign with"),
        (("--certificate", chain, "--key", text), 3, "is not a private key in PEM format"),
        (("--certificate", chain, "--key", locked), 3, "is encrypted"),
        (("--certificate", chain.parent / "anchor.pem", "--key", key), 3, "self-signed"),
        (("--certificate", tmp_path / "nothing", "--key", key), 3, "no such file"),
        (("--consent", tmp_path / "nothing"), 3, "no such file"),
    ):
        out = tmp_path / "out.png"
        outcome = run("edit", scene.portrait, "--smile", "0.77", "-o", out, *argv, "--work", scene.work, "--json")
        assert (outcome.exit_code, claims in outcome.stderr) == (code, True), outcome.stderr
        assert not [event for event in outcome.events if event["event"] == "start"]


def test_no_result_replaces_the_key(scene: Scene, tmp_path: Path) -> None:
    chain, key = make_credentials(tmp_path)
    key = key.rename(tmp_path / "key.png")
    argv = ("-o", key, "--certificate", chain, "--key", key, "--overwrite")
    outcome = run("edit", scene.portrait, "--smile", "0.5", *argv, "--work", scene.work)
    assert (outcome.exit_code, "would replace the input" in outcome.stderr) == (2, True)


def test_consent_can_be_required(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    consent = tmp_path / "consent.txt"
    consent.write_text("I agree.", encoding="utf-8")
    monkeypatch.setenv("FACEPIPE_PROVENANCE_REQUIRE_CONSENT", "true")
    for command in (
        ("edit", scene.portrait, "--smile", "0.5", "-o", tmp_path / "out.png"),
        ("render", scene.portrait, scene.motion, "-o", tmp_path / "out.mp4"),
        ("mux", scene.driver, "-o", tmp_path / "joined.mp4"),
    ):
        outcome = run(*command, "--work", scene.work)
        assert (outcome.exit_code, "no consent is given" in outcome.stderr) == (2, True), outcome.stderr
    assert not list(tmp_path.glob("*.png"))
    scene.run("edit", scene.portrait, "--smile", "0.5", "-o", tmp_path / "out.png", "--consent", consent)
    scene.run("edit", scene.portrait, "--smile", "0.4", "-o", tmp_path / "out.png", "--no-require-consent")
    # What shows nobody anew needs none.
    scene.run("crop", scene.portrait, "-o", tmp_path / "crops")
