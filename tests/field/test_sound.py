"""Unusual but good sound: what any channel holds is heard, the right track is taken, a cut-off file is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.engine.stage import StageRun
from facepipe.errors import InputError
from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.mux import FitRule, concat_and_mux
from facepipe.media.probe import probe_video
from facepipe.media.sound import decode_sound, probe_sound
from facepipe.motion.features import Features, load_features
from facepipe.stages import features, mux
from tests.face.faces import DATA
from tests.media.sounds import write_voice
from tests.pipeline.scene import run

SPEECH = DATA / "speech/en_ljspeech_lj001.wav"


def facts_of(path: Path, folder: Path, **params: Any) -> tuple[dict[str, Any], Features]:
    """Run the stage `features`; return its facts and features."""
    folder.mkdir(exist_ok=True)
    facts = features.features(StageRun({"sound": path}, folder, features.Params(**params), {}, lambda _: None))
    return dict(facts), load_features(folder / "features.npz")


def codes(facts: dict[str, Any]) -> list[str]:
    return [remark["code"] for remark in facts["remarks"]]


INVERTED = "[0:a]asplit[a][b];[b]volume=-1[c];[a][c]join=inputs=2:channel_layout=stereo"
HALF = "[0:a]asplit[a][b];[b]volume='if(lt(t,1),1,-1)':eval=frame[c];[a][c]join=inputs=2:channel_layout=stereo"
LATE = "[0:a]asplit[a][b];[b]adelay=2[c];[a][c]join=inputs=2:channel_layout=stereo"
CHANNELS = {
    "dual mono": (("-af", "pan=stereo|c0=c0|c1=c0"), []),
    "one channel inverted": (("-filter_complex", INVERTED), ["inverted-channels"]),
    "inverted from the middle on": (("-filter_complex", HALF), []),
    "one channel 2 ms late": (("-filter_complex", LATE), []),
    "left only": (("-af", "pan=stereo|c0=c0|c1=0*c0"), ["silent-channels"]),
    "right only": (("-af", "pan=stereo|c0=0*c0|c1=c0"), ["silent-channels"]),
    "5.1, centre only": (("-af", "pan=5.1|FC=c0"), ["silent-channels"]),
    "5.1, bass only": (("-af", "pan=5.1|LFE=c0"), ["silent-channels"]),
    "5.1, sides in opposite phase": (("-af", "pan=5.1|BL=c0|BR=-1*c0"), ["silent-channels", "inverted-channels"]),
    "16 channels": (("-af", "pan=16c|c15=c0"), ["silent-channels"]),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_the_features_hold_what_any_channel_holds(name: str, tmp_path: Path) -> None:
    args, expected = CHANNELS[name]
    _, plain = facts_of(write_voice(tmp_path / "plain.wav", 2.0), tmp_path / "plain")
    facts, heard = facts_of(write_voice(tmp_path / "a.wav", 2.0, *args), tmp_path / "out")
    assert heard.level_db == pytest.approx(plain.level_db, abs=1)
    assert np.corrcoef(heard.log_mel.ravel(), plain.log_mel.ravel())[0, 1] > 0.98
    assert np.abs(heard.voicing - plain.voicing).mean() < 0.05
    assert codes(facts) == expected


@pytest.mark.skipif(not SPEECH.exists(), reason="no recorded speech here")
def test_speech_with_an_inverted_channel_has_its_level(tmp_path: Path) -> None:
    path = tmp_path / "anti.wav"
    encode("-t", "2", "-i", SPEECH, "-filter_complex", INVERTED, path)
    facts, _ = facts_of(path, tmp_path / "out")
    assert facts["level_db"] == pytest.approx(-20, abs=4)
    assert not facts["silent"]


def test_a_silent_sound_is_said(tmp_path: Path) -> None:
    facts, _ = facts_of(write_voice(tmp_path / "a.wav", 1.0, "-af", "volume=0"), tmp_path / "out")
    assert codes(facts) == ["silent-sound"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-af", "volume=0"), ["sound-encoded", "silent-sound"]),
        (("-filter_complex", INVERTED), ["sound-encoded", "inverted-channels"]),
        (("-af", "pan=stereo|c0=c0|c1=0*c0"), ["sound-encoded", "silent-channels"]),
    ],
)
def test_what_is_not_heard_in_a_result_is_said(tmp_path: Path, args: Sequence[str], expected: list[str]) -> None:
    segment = tmp_path / "segment.mp4"
    encode("-f", "lavfi", "-i", "color=s=64x64:r=25:d=1", segment)
    sound = write_voice(tmp_path / "a.mka", 1.0, *args, "-c:a", "ac3")
    inputs: dict[str, Path | tuple[Path, ...]] = {"segments": (segment,), "sound": sound}
    facts = mux.mux(StageRun(inputs, tmp_path, mux.Params(), {}, lambda _: None))
    assert codes(dict(facts)) == expected


FITS = {
    ("driver", 1.52): {"sound-cut": "0.52 s"},
    ("shortest", 1.52): {"sound-cut": "0.52 s"},
    ("pad", 1.52): {"pictures-held": "0.52 s"},
    ("driver", 0.48): {},
    ("shortest", 0.48): {"pictures-cut": "0.52 s"},
    ("pad", 0.48): {},
    ("driver", 1.05): {},
    ("shortest", 1.05): {},
    ("pad", 1.05): {},
}


@pytest.mark.parametrize(("fit", "seconds"), FITS)
def test_what_fit_cuts_or_holds_is_said(tmp_path: Path, fit: FitRule, seconds: float) -> None:
    """Pictures of 1 s, and a sound of another length."""
    segment = tmp_path / "segment.mp4"
    encode("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-bf", "0", segment)
    sound = write_voice(tmp_path / "a.wav", seconds)
    facts = concat_and_mux([segment], out=tmp_path / "out.mp4", sound_from=sound, fit=fit)
    told = {remark.code: remark.text for remark in facts.remarks if remark.code != "sound-encoded"}
    assert told.keys() == FITS[fit, seconds].keys()
    assert all(FITS[fit, seconds][code] in text for code, text in told.items())


def encode(*args: str | Path) -> None:
    code, messages, _ = ffmpeg.run([ffmpeg.find_ffmpeg(), "-v", "error", "-y", *map(str, args)])
    assert code == 0, messages


def two_tracks(path: Path, *args: str) -> Path:
    """Write a silent track, then one with a voice."""
    voice = write_voice(path.with_name("voice.wav"), 1.0)
    silence = ("-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=1")
    encode(*silence, "-i", voice, "-map", "0", "-map", "1", "-c:a", "aac", "-shortest", *args, path)
    return path


def test_the_default_track_is_taken(tmp_path: Path) -> None:
    path = two_tracks(tmp_path / "a.mp4", "-disposition:a:0", "0", "-disposition:a:1", "default")
    facts, _ = facts_of(path, tmp_path / "out")
    assert facts["level_db"] > -30
    assert codes(facts) == ["several-tracks"]
    assert "track 2 is used" in facts["remarks"][0]["text"]


def test_the_first_track_is_taken_without_a_default_one(tmp_path: Path) -> None:
    path = two_tracks(tmp_path / "a.ts")
    assert codes(facts_of(path, tmp_path / "out")[0]) == ["several-tracks", "silent-sound"]


@pytest.mark.parametrize(("track", "silent"), [(1, True), (2, False)])
def test_a_track_can_be_chosen(tmp_path: Path, track: int, silent: bool) -> None:
    path = two_tracks(tmp_path / "a.mp4")
    facts, _ = facts_of(path, tmp_path / "out", track=track)
    assert facts["silent"] is silent
    assert "several-tracks" not in codes(facts)


@pytest.mark.parametrize(("track", "words"), [(3, "--track is 3, but the file has 2 sound tracks"), (1, "")])
def test_a_track_that_is_not_there_is_refused(tmp_path: Path, track: int, words: str) -> None:
    path = two_tracks(tmp_path / "a.mp4")
    outcome = run("features", path, "-o", tmp_path / "f.npz", "--work", tmp_path / "work", "--track", str(track))
    assert outcome.exit_code == (3 if words else 0)
    assert words in outcome.stderr


CUT = {
    "wav": (),
    "wav of 24 bits": ("-c:a", "pcm_s24le"),
    "mp3": (),
    "flac": (),
    "ogg": (),
    "opus": ("-c:a", "libopus"),
    "webm": ("-c:a", "libopus"),
    "m4a": ("-movflags", "+faststart"),
    "aac": (),
    "aiff": (),
    "au": (),
    "caf": (),
    "w64": (),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_off_sound_is_said(name: str, tmp_path: Path) -> None:
    path = write_voice(tmp_path / f"a.{name.split(' ')[0]}", 4.0, *CUT[name])
    assert not probe_sound(path).cut_off
    content = path.read_bytes()
    # At the end of a packet of 1,024 samples of WAV, so that no packet is incomplete.
    size = content.index(b"data") + 8 + 12 * 2048 if name == "wav" else round(len(content) * 0.7)
    path.write_bytes(content[:size])
    info = probe_sound(path)
    assert info.cut_off
    facts, _ = facts_of(path, tmp_path / "out")
    assert codes(facts) == ["cut-off-sound"]


def test_a_cut_off_sound_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_voice(tmp_path / "a.m4a", 2.0)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="is truncated"):
        probe_sound(path)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_recorded_stream_without_a_length_is_whole(tmp_path: Path, size: int) -> None:
    path = write_voice(tmp_path / "a.wav", 1.0)
    content, at = path.read_bytes(), path.read_bytes().index(b"data") + 4
    path.write_bytes(content[:at] + size.to_bytes(4, "little") + content[at + 4 :])
    assert not probe_sound(path).cut_off


def blocks_by(args: Sequence[str], path: Path) -> bytes:
    """Decode with ffmpeg to 16 kHz float32."""
    steps = ("-af", "aresample=16000:async=1:first_pts=0", "-c:a", "pcm_f32le", "-f", "f32le")
    out = path.with_suffix(".f32")
    encode(*args, "-i", path, *steps, out)
    return out.read_bytes()


def test_the_samples_do_not_depend_on_the_processor(tmp_path: Path) -> None:
    path = write_voice(tmp_path / "a.m4a", 2.0, "-ar", "44100", "-ac", "2")
    plain = blocks_by(("-cpuflags", "0"), path)
    assert b"".join(block.tobytes() for block in decode_sound(path)) == plain


CHANGES = {"ac3": "5.1", "aac": "5.1", "mp2": "mono"}


@pytest.mark.parametrize("codec", CHANGES)
def test_channels_that_change_in_the_middle_keep_the_time(codec: str, tmp_path: Path) -> None:
    """A broadcast of 2 s in stereo at 400 Hz, then 2 s in other channels at 1,000 Hz."""
    parts = []
    for number, (hertz, layout) in enumerate(((400, "stereo"), (1000, CHANGES[codec]))):
        sine = f"sine=f={hertz}:d=2:r=48000,aformat=channel_layouts={layout}"
        parts.append(tmp_path / f"{number}.ts")
        encode("-f", "lavfi", "-i", sine, "-c:a", codec, "-output_ts_offset", str(2 * number), parts[-1])
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    samples = np.concatenate(list(decode_sound(path)))
    assert len(samples) / 16_000 == pytest.approx(4, abs=0.1)
    for start, hertz in ((0.5, 400), (2.5, 1000)):
        part = samples[round(start * 16_000) :][:16_000].sum(axis=1)
        assert np.abs(np.fft.rfft(part)).argmax() == hertz
    facts, _ = facts_of(path, tmp_path / "out")
    assert codes(facts)[0] == "channels-change"


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.mpg"])
def test_a_sound_that_begins_late_is_late(name: str, tmp_path: Path) -> None:
    path = apart(tmp_path / name, 0.0, 0.7)
    assert onset(path) == pytest.approx(0.7, abs=0.03)
    segment = tmp_path / "segment.mp4"
    encode("-f", "lavfi", "-i", "color=s=64x64:r=25:d=2", segment)
    concat_and_mux([segment], out=tmp_path / "out.mp4", sound_from=path, fit="driver")
    assert onset(tmp_path / "out.mp4") == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_pictures_that_begin_late_are_late(name: str, tmp_path: Path) -> None:
    """The first picture is held, so that sound and pictures stay in sync."""
    info = probe_video(apart(tmp_path / name, 0.6, 0.0))
    assert [remark.code for remark in info.remarks] == ["late-start"]
    assert info.delay_seconds == pytest.approx(0.6, abs=0.06)
    frames = [int(frame.mean()) for frame in decode_frames(tmp_path / name, info=info)]
    assert len(frames) == pytest.approx(65, abs=2)
    # White after 1 s.
    assert next(number for number, level in enumerate(frames) if level > 128) == pytest.approx(40, abs=1)


def apart(path: Path, pictures_at: float, sound_at: float) -> Path:
    """Write pictures of 2 s, black and after 1 s white, and a sound of 1 s, that begin at these times."""
    voice = write_voice(path.with_name("voice.wav"), 1.0)
    pictures = ("-f", "lavfi", "-i", "color=s=64x64:r=25:d=2,drawbox=t=fill:c=white:enable='gte(t,1)'")
    codec = ("-c:a", "mp2" if path.suffix == ".mpg" else "aac")
    at = [("-itsoffset", str(seconds)) for seconds in (pictures_at, sound_at)]
    encode(*at[0], *pictures, *at[1], "-i", voice, "-map", "0", "-map", "1", *codec, "-ar", "48000", path)
    return path


def onset(path: Path) -> float:
    """Return the time at which the sound begins in seconds."""
    loud = np.abs(np.concatenate(list(decode_sound(path)))[:, 0]) > 0.02
    return float(loud.argmax() / 16_000)
