"""Sound of any rate, depth, number of channels and container is decoded to the same 16 kHz samples."""

from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.media.limits import MediaLimits
from facepipe.media.sound import SAMPLE_HERTZ, decode_sound, probe_sound
from tests.media.sounds import voice, write_voice

FORMATS = {
    "8 kHz": ("a.wav", "-ar", "8000"),
    "192 kHz": ("a.wav", "-ar", "192000"),
    "24 bits": ("a.wav", "-c:a", "pcm_s24le"),
    "8 bits": ("a.wav", "-c:a", "pcm_u8"),
    "6 channels": ("a.wav", "-ac", "6"),
    "mp3": ("a.mp3",),
    "flac": ("a.flac",),
    "m4a": ("a.m4a",),
    "ogg": ("a.ogg", "-c:a", "libvorbis", "-ac", "2"),
    "opus in webm": ("a.webm", "-c:a", "libopus"),
    "one side silent": ("a.wav", "-af", "pan=stereo|c0=c0|c1=0*c0"),
}


@pytest.mark.parametrize("make", FORMATS)
def test_every_format_gives_the_same_sound(make: str, tmp_path: Path) -> None:
    name, *args = FORMATS[make]
    path = write_voice(tmp_path / name, 2.0, *args)
    channels, plain = np.concatenate(list(decode_sound(path))), voice(2.0)
    heard = channels[:, int((channels**2).sum(0).argmax())]
    assert probe_sound(path).seconds == pytest.approx(2, abs=0.1)
    assert len(heard) == pytest.approx(2 * SAMPLE_HERTZ, abs=0.1 * SAMPLE_HERTZ)
    # Compare 10 ms envelopes, aligned for the delay of the codec.
    count = min(len(heard), len(plain)) // 160 - 2
    ours, theirs = (abs(one[: count * 160].reshape(count, 160)).mean(1) for one in (heard, plain))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.93


def test_files_without_sound_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("dear diary")
    with pytest.raises(InputError, match=r"text\.wav: is text, not sound"):
        probe_sound(text)
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(InputError, match="0 bytes"):
        probe_sound(empty)


def test_too_long_sound_is_refused(tmp_path: Path) -> None:
    path = write_voice(tmp_path / "a.wav", 2.0)
    with pytest.raises(InputError, match="--max-duration"):
        probe_sound(path, MediaLimits(max_duration_seconds=1))
