"""The stage `features`, by the command line."""

from pathlib import Path

from facepipe.motion.features import load_features
from tests.media.sounds import write_voice
from tests.pipeline.scene import run


def test_a_folder_of_sounds_becomes_a_folder_of_features(tmp_path: Path) -> None:
    sounds, out, work = tmp_path / "sounds", tmp_path / "out", tmp_path / "work"
    sounds.mkdir()
    write_voice(sounds / "a.wav", 1.0)
    write_voice(sounds / "b.mp3", 1.5)
    (sounds / "notes.txt").write_text("no sound")
    outcome = run("features", sounds, "-o", out, "--work", work, "--mfcc")
    assert outcome.exit_code == 0, outcome.stderr
    assert {path.name for path in out.glob("*.npz")} == {"a.npz", "b.npz"}
    features = load_features(out / "a.npz")
    assert len(features) == 25
    assert features.mfcc is not None
    assert run("features", sounds, "-o", out, "--work", work, "--mfcc", "--json").made() == []


def test_the_frame_rate_is_that_of_the_option(tmp_path: Path) -> None:
    write_voice(tmp_path / "a.wav", 1.0)
    run("features", tmp_path / "a.wav", "-o", tmp_path / "f.npz", "--work", tmp_path / "work", "--fps", "30000/1001")
    features = load_features(tmp_path / "f.npz")
    assert (str(features.fps), len(features)) == ("30000/1001", 30)


def test_a_bad_sound_does_not_stop_the_others(tmp_path: Path) -> None:
    write_voice(tmp_path / "a.wav", 1.0)
    (tmp_path / "b.wav").write_text("dear diary")
    outcome = run("features", tmp_path, "-o", tmp_path / "out", "--work", tmp_path / "work")
    assert outcome.exit_code == 4
    assert "b.wav" in outcome.stderr
    assert (tmp_path / "out" / "a.npz").exists()
