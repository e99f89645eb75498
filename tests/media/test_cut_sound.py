"""The sound of dropped frames is dropped as well, to the sample."""

import subprocess
from pathlib import Path

import numpy as np

from facepipe.media.ffmpeg import find_ffmpeg
from facepipe.media.mux import concat_and_mux
from tests.media.conftest import Make
from tests.media.sources import H264, pictures


def heard(path: Path) -> np.ndarray:
    """Return the left channel at 48 kHz, in [-1, 1]."""
    command = [find_ffmpeg(), "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32)


def test_the_sound_of_dropped_frames_is_dropped(make: Make, tmp_path: Path) -> None:
    # Two seconds whose pitch gives the time: 400 Hz in the first half second, 1,000 Hz up to 1.2 s, then 2,500 Hz.
    tones = "sin(2*PI*t*if(lt(t,0.5),400,if(lt(t,1.2),1000,2500)))/2"
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{tones}':d=2:s=48000")
    driver = make("tones.mp4", *pictures(seconds=2), *sound, *H264, "-c:a", "aac")
    rendered = make("rendered.mp4", *pictures(seconds=1.3), *H264, "-bf", "0")
    out = tmp_path / "out.mp4"
    # Frames 12 (0.48 s) to 29 (1.2 s) are dropped.
    facts = concat_and_mux([rendered], out=out, sound_from=driver, fit="driver", kept_frames=[(0, 12), (30, 50)])
    assert facts.sound == "encoded"
    samples = heard(out)
    assert abs(len(samples) / 48000 - 32 / 25) < 0.03
    for start, end, pitch in ((0.05, 0.45, 400), (0.51, 1.2, 2500)):
        part = samples[int(start * 48000) : int(end * 48000)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        assert abs(np.argmax(spectrum) * 48000 / len(part) - pitch) < 10
        heard_1000 = spectrum[round(1000 * len(part) / 48000)]
        assert heard_1000 < spectrum.max() / 100


def test_no_kept_frames_give_a_silent_result(make: Make, tmp_path: Path, clip: Path, silent_clip: Path) -> None:
    facts = concat_and_mux([silent_clip], out=tmp_path / "out.mp4", sound_from=clip, fit="driver", kept_frames=[])
    assert facts.sound == "none"


def test_the_same_cut_gives_the_same_bytes(tmp_path: Path, clip: Path, silent_clip: Path) -> None:
    outs = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for out in outs:
        concat_and_mux([silent_clip], out=out, sound_from=clip, fit="driver", kept_frames=[(0, 5), (9, 12)])
    assert outs[0].read_bytes() == outs[1].read_bytes()
